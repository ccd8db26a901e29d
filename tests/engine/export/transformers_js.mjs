// A folder that `engine export --to onnx` wrote → what transformers.js makes of it, from the files of the folder alone.
// node transformers_js.mjs PACKAGES FOLDER DTYPE... < asked.json: PACKAGES has node_modules. Prints JSON, by dtype.
// Asked are `texts`, which fit, and `long`, one that does not.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

const [packages, folder, ...dtypes] = process.argv.slice(2);
const require = createRequire(join(packages, "index.js"));
const { AutoModelForSequenceClassification, AutoTokenizer, env, pipeline } = require("@huggingface/transformers");
Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: dirname(folder), useFSCache: false });
globalThis.fetch = () => {
  throw new Error("transformers.js asks the network");
};

const { texts, long } = JSON.parse(readFileSync(0, "utf-8"));
const name = basename(folder);
const found = {};
for (const dtype of dtypes) {
  const tokenizer = await AutoTokenizer.from_pretrained(name);
  const model = await AutoModelForSequenceClassification.from_pretrained(name, { dtype });
  const together = await model(await tokenizer(texts, { padding: true, truncation: true }));
  const alone = [];
  for (const text of texts) {
    const { logits } = await model(await tokenizer([text], { padding: true, truncation: true }));
    alone.push(logits.tolist()[0]);
  }
  // It cuts off what ends a text, such as [SEP], too; here it is put back, as the README says.
  const cut = await tokenizer([long], { padding: true, truncation: true });
  const ends = (await tokenizer("good")).input_ids.data.at(-1);
  cut.input_ids.data[cut.input_ids.data.length - 1] = ends;
  const classify = await pipeline("text-classification", name, { dtype });
  found[dtype] = {
    logits: together.logits.tolist(),
    alone,
    long: (await model(cut)).logits.tolist(),
    answers: await classify(texts, { top_k: null }),
  };
}
console.log(JSON.stringify(found));
