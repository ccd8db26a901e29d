"""The architectures that are tried: encoders, encoders with a decoder, decoders with and without a padding token."""

from typing import Any

from engine.testing.architectures import LEFT_OUT, Architecture


def _encoder(name: str, tokenizer: str = "bert", variant: str = "", **config: Any) -> Architecture:
    return Architecture(name=name, tokenizer=tokenizer, variant=variant, config=config)


def _roberta(name: str, **config: Any) -> Architecture:
    return _encoder(name, "roberta", max_position_embeddings=514, type_vocab_size=1, **config)


def _decoder(name: str, tokenizer: str = "padded gpt", variant: str = "", **config: Any) -> Architecture:
    return Architecture(name=name, tokenizer=tokenizer, variant=variant, config=config)


_BART: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "decoder_start_token_id": 2,
    "max_position_embeddings": 512, "hidden_size": LEFT_OUT, "num_attention_heads": LEFT_OUT, "head_dim": LEFT_OUT,
    "num_key_value_heads": LEFT_OUT, "intermediate_size": LEFT_OUT, "num_hidden_layers": LEFT_OUT,
}  # fmt: skip
_T5: dict[str, Any] = {
    "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0,
    "hidden_size": LEFT_OUT, "num_attention_heads": LEFT_OUT, "head_dim": LEFT_OUT, "num_key_value_heads": LEFT_OUT,
    "intermediate_size": LEFT_OUT, "num_hidden_layers": LEFT_OUT,
}  # fmt: skip
_GPT2: dict[str, Any] = {"n_positions": 512}
_XLM: dict[str, Any] = {"emb_dim": 32, "n_layers": 2, "n_heads": 4}
_MOE: dict[str, Any] = {"num_experts": 4, "num_local_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}

ENCODERS = (
    _encoder("Bert"),
    _encoder("Bert", "text of type 1", "text of token type 1"),
    _encoder("Albert", embedding_size=16),
    _encoder("BigBird", block_size=4, num_random_blocks=2, max_position_embeddings=512, variant="sparse attention"),
    _encoder("BigBird", attention_type="original_full", max_position_embeddings=512, variant="full attention"),
    _roberta("Camembert"),
    _encoder("ConvBert", embedding_size=32),
    _roberta("Data2VecText"),
    _encoder("Deberta", relative_attention=True, pos_att_type=["p2c", "c2p"], type_vocab_size=0),
    _encoder("DebertaV2", relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=32),
    _encoder("DistilBert", "bert without types", dim=32, n_layers=2, n_heads=4, hidden_dim=64),
    _encoder("Electra", embedding_size=16),
    _encoder("Ernie"),
    _encoder("Esm", mask_token_id=4, position_embedding_type="rotary", max_position_embeddings=512),
    _encoder("Esm", "bert", "scaled by its mask tokens", mask_token_id=4, token_dropout=True,
             position_embedding_type="rotary", max_position_embeddings=512),
    _encoder("EuroBert"),
    _encoder("FNet"),
    _encoder("Flaubert", **_XLM, pad_index=0),
    _encoder("Funnel", "funnel", num_hidden_layers=LEFT_OUT, d_model=32, n_head=4, d_head=8, d_inner=64,
             block_sizes=[1, 1, 1]),
    _encoder("Gte"),
    _roberta("IBert"),
    _encoder("JinaEmbeddingsV3"),
    _encoder("LayoutLM"),
    _roberta("Lilt", hidden_size=48, channel_shrink_ratio=2),
    _roberta("Longformer", attention_window=8),
    _roberta("Luke", entity_vocab_size=10, entity_emb_size=8),
    _encoder("MPNet", "roberta", max_position_embeddings=514),
    _roberta("MarkupLM", max_depth=4, xpath_unit_hidden_size=8),
    _encoder("MegatronBert"),
    _encoder("MobileBert", embedding_size=16, intra_bottleneck_size=32, num_feedforward_networks=1),
    _encoder("ModernBert", local_attention=16, max_position_embeddings=512),
    _encoder("ModernBert", classifier_pooling="mean", max_position_embeddings=512, variant="mean of the tokens"),
    _encoder("NomicBert"),
    _encoder("Nystromformer"),
    _encoder("Reformer", attention_head_size=8, axial_pos_embds=False, hash_seed=1, num_hashes=1, feed_forward_size=64,
             max_position_embeddings=512, is_decoder=False, attn_layers=["local", "lsh"], local_attn_chunk_length=16,
             lsh_attn_chunk_length=16),
    _encoder("RemBert", input_embedding_size=16, output_embedding_size=16),
    _encoder("RoCBert", enable_pronunciation=False, enable_shape=False),
    _encoder("RoFormer", embedding_size=32),
    _roberta("Roberta"),
    _roberta("RobertaPreLayerNorm"),
    _encoder("SqueezeBert", embedding_size=32, q_groups=1, k_groups=1, v_groups=1, post_attention_groups=1,
             intermediate_groups=1, output_groups=1),
    _encoder("XLM", **_XLM, pad_index=0),
    _roberta("XLMRoberta"),
    _roberta("XLMRobertaXL"),
    _encoder("XLNet", "xlnet", d_model=32, n_layer=2, n_head=4, d_inner=64),
    _encoder("XLNet", "xlnet", "first token", d_model=32, n_layer=2, n_head=4, d_inner=64, summary_type="first"),
    _roberta("Xmod", languages=["en_XX"], default_language="en_XX"),
    _roberta("Xmod", languages=["en_XX", "de_DE"], variant="no language chosen"),
    _encoder("Yoso"),
)  # fmt: skip

WITH_DECODERS = (
    _encoder("Bart", "roberta", **_BART),
    _encoder("Bart", "kobart", "numbered as KoBART", **{**_BART, "decoder_start_token_id": 1}),
    _encoder("BigBirdPegasus", "roberta", **{**_BART, "block_size": 8, "num_random_blocks": 1}),
    _encoder("MBart", "roberta", **_BART),
    _encoder("MT5", "t5", **_T5),
    _encoder("Mvp", "roberta", **_BART),
    _encoder("PLBart", "roberta", **_BART),
    _encoder("T5", "t5", **_T5),
    _encoder("UMT5", "t5", **_T5),
)

DECODERS = (
    _decoder("Arcee"),
    _decoder("BioGpt", "padded gpt"),
    _decoder("Bloom", n_layer=2, n_head=4),
    _decoder("CTRL", n_embd=32, n_layer=2, n_head=4, dff=64, n_positions=512),
    _decoder("DeepseekV2", kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
             n_routed_experts=4, n_shared_experts=1, moe_intermediate_size=32, num_experts_per_tok=2,
             num_key_value_heads=4, head_dim=8, n_group=1, topk_group=1),
    _decoder("DeepseekV3", kv_lora_rank=8, q_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
             n_routed_experts=4, n_shared_experts=1, moe_intermediate_size=32, num_experts_per_tok=2,
             num_key_value_heads=4, first_k_dense_replace=1, n_group=1, topk_group=1),
    _decoder("DiffLlama"),
    _decoder("Doge"),
    _decoder("Exaone4", sliding_window=8, sliding_window_pattern=2),
    _decoder("Falcon", head_dim=LEFT_OUT, new_decoder_architecture=False, multi_query=True, alibi=False),
    _decoder("Falcon", head_dim=LEFT_OUT, alibi=True, variant="ALiBi"),
    _decoder("GPT2", "padded gpt", "own padding token", **_GPT2),
    _decoder("GPT2", "gpt", "no padding token", **_GPT2),
    _decoder("GPT2", "gpt with types", "token types given", **_GPT2),
    _decoder("GPTBigCode", n_positions=512),
    _decoder("GPTJ", rotary_dim=4, n_positions=512),
    _decoder("GPTNeo", attention_types=[[["global", "local"], 1]], num_layers=2, window_size=8),
    _decoder("GPTNeoX"),
    _decoder("Gemma", "llama, ends with eos", "no padding token, ends with eos"),
    _decoder("Gemma2", "llama", "no padding token", sliding_window=8),
    _decoder("Gemma3Text", "llama", "no padding token", sliding_window=8),
    _decoder("Glm"),
    _decoder("Glm4"),
    _decoder("GptOss", **_MOE, sliding_window=8),
    _decoder("Helium"),
    _decoder("HunYuanDenseV1"),
    _decoder("JetMoe", **_MOE, kv_channels=8),
    _decoder("Llama", "padded gpt", "own padding token"),
    _decoder("Llama", "llama", "no padding token"),
    _decoder("Llama", "llama, ends with eos", "no padding token, ends with eos"),
    _decoder("Llama", "llama, ends with eos", "padding token -1", pad_token_id=-1),
    _decoder("Llama", "llama, pads with eos", "pads and ends with eos"),
    _decoder("Ministral", sliding_window=8),
    _decoder("Mistral", "llama, ends with eos", "no padding token, ends with eos", sliding_window=8),
    _decoder("Mixtral", **_MOE),
    _decoder("ModernBertDecoder", bos_token_id=0, max_position_embeddings=512, local_attention=16),
    _decoder("Mpt", d_model=32, n_heads=4, n_layers=2),
    _decoder("Nemotron"),
    _decoder("OPT", ffn_dim=64, word_embed_proj_dim=32, max_position_embeddings=512),
    _decoder("Olmo2"),
    _decoder("Olmo3", sliding_window=8),
    _decoder("OpenAIGPT", "gpt", n_positions=512),
    _decoder("Persimmon"),
    _decoder("Phi", partial_rotary_factor=0.5),
    _decoder("Phi3", "llama", "no padding token"),
    _decoder("Phi3", "llama, ends with eos", "frequencies by length", original_max_position_embeddings=16,
             max_position_embeddings=512,
             rope_parameters={"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 4,
                              "long_factor": [4.0] * 4, "original_max_position_embeddings": 16}),
    _decoder("Qwen2", "gpt", "no padding token"),
    _decoder("Qwen2Moe", **_MOE, shared_expert_intermediate_size=32),
    _decoder("Qwen3", "gpt", "no padding token"),
    _decoder("Qwen3Moe", **_MOE),
    _decoder("SeedOss"),
    _decoder("SmolLM3"),
    _decoder("StableLm"),
    _decoder("Starcoder2"),
)  # fmt: skip

ARCHITECTURES = (*ENCODERS, *WITH_DECODERS, *DECODERS)
