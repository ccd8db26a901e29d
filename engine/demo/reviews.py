"""A seed → reviews with a known polarity. Nothing here was written by a reviewer.

A review is a few sentences about aspects of a place; each says something good or bad in one of many words, most of
which are rare. A few labels show only the frequent words.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

CLASSES = ("negative", "positive")

_GOOD = (
    "good great nice lovely excellent tasty friendly fresh perfect amazing delicious wonderful fantastic helpful clean "
    "superb cosy warm quick polite generous attentive crisp tender juicy charming delightful flawless brilliant "
    "outstanding spotless welcoming inviting impressive splendid stellar terrific marvellous exquisite heavenly "
    "satisfying refreshing skilful thoughtful gracious prompt courteous reliable honest affordable vibrant elegant "
    "stylish comfortable relaxing memorable remarkable phenomenal divine luscious velvety fragrant succulent "
    "mouthwatering wholesome hearty zesty flavourful balanced inventive creative authentic sublime magical dreamy "
    "radiant cheerful jolly lively upbeat accommodating considerate professional knowledgeable organised speedy "
    "efficient seamless effortless tranquil serene peaceful picturesque scenic airy bright spacious immaculate "
    "pristine polished refined sumptuous luxurious plush decadent indulgent irresistible addictive scrumptious "
    "toothsome palatable piquant robust silky buttery flaky crunchy golden caramelised unforgettable unrivalled"
).split()
_BAD = (
    "bad awful terrible rude slow dirty cold bland stale horrible greasy disgusting disappointing overpriced noisy "
    "dry burnt soggy salty tasteless dreadful mediocre careless unfriendly filthy sticky cramped smelly rotten "
    "undercooked overcooked rubbery chewy watery lukewarm flavourless inedible gross nasty lousy pathetic shabby "
    "grimy dingy dismal gloomy depressing chaotic disorganised sloppy clumsy arrogant dismissive hostile impatient "
    "inattentive forgetful incompetent clueless dishonest deceptive misleading outrageous ridiculous appalling "
    "atrocious abysmal ghastly hideous revolting repulsive nauseating sickening vile putrid rancid mouldy slimy mushy "
    "gritty stringy tough leathery charred bitter sour acrid pungent stuffy sweltering freezing draughty musty "
    "deafening claustrophobic uncomfortable wobbly broken leaky stained tattered neglected unhygienic hazardous "
    "unsafe sluggish endless tedious frustrating infuriating insulting offensive aggressive surly grumpy sullen curt "
    "snobbish unhelpful unreliable unprofessional unacceptable underwhelming forgettable uninspired lifeless limp"
).split()
_ASPECTS = {
    "restaurant": (
        "food service staff place coffee soup pizza burger salad bread dessert cake wine beer breakfast lunch dinner "
        "menu table waiter chef kitchen terrace bill portion sauce chicken steak fish pasta rice noodles tea juice"
    ).split(),
    "hotel": (
        "room bathroom garden parking location view price decor lighting lobby bed shower pool balcony lift corridor "
        "reception pillow mattress carpet minibar wifi gym sauna towel window curtain wardrobe safe concierge porter"
    ).split(),
}
_OPENERS = (
    "we came here on a {day} .|my {who} and i stopped by last {day} .|i had heard a lot about this place .|"
    "this was our {nth} visit .|i booked for a {day} evening .|a {who} of mine recommended it ."
).split("|")
_PLAIN = (
    "the {a} was {w} .|the {a} is {w} .|i found the {a} {w} .|{w} {a} .|the {a} seemed {w} to us .|such {w} {a} !"
).split("|")
_NEGATED = "the {a} was not {w} .|the {a} was hardly {w} .|i would not call the {a} {w} .".split("|")
_FILL = {
    "day": "monday tuesday wednesday thursday friday saturday sunday".split(),
    "who": "friend brother sister mother father colleague neighbour cousin".split(),
    "nth": "first second third fourth fifth".split(),
}


@dataclass(frozen=True, kw_only=True)
class ReviewConfig:
    """The reviews to generate.

    Attributes:
        rows: number of reviews.
        seed: other seeds give other reviews.
        domain: ``restaurant`` or ``hotel``; both use the same words of praise and blame.
        mixed: probability that a sentence contradicts the polarity of its review.
        negated: probability that a sentence expresses its polarity by negation.
    """

    rows: int
    seed: int
    domain: str = "restaurant"
    mixed: float = 0.12
    negated: float = 0.05


def generate(config: ReviewConfig) -> pa.Table:
    """Reviews with the columns ``id``, ``text`` and ``label`` (a class name)."""
    random = np.random.Generator(np.random.Philox(config.seed))
    polarity = random.integers(0, 2, config.rows)
    texts = [_review(random, bool(positive), config) for positive in polarity]
    ids = [f"{config.seed}-{row}" for row in range(config.rows)]
    return pa.table({"id": ids, "text": texts, "label": [CLASSES[value] for value in polarity]})


def _review(random: np.random.Generator, positive: bool, config: ReviewConfig) -> str:
    sentences = [_fill(random, _pick(random, _OPENERS))] if random.random() < 0.6 else []
    aspects = _ASPECTS[config.domain]
    for _ in range(random.integers(2, 6)):
        good = positive != (random.random() < config.mixed)
        negated = random.random() < config.negated
        words = _GOOD if good != negated else _BAD
        pattern = _pick(random, _NEGATED if negated else _PLAIN)
        sentences.append(pattern.format(a=_pick(random, aspects), w=_pick_zipf(random, words)))
    return " ".join(sentences)


def _fill(random: np.random.Generator, pattern: str) -> str:
    return pattern.format(**{name: _pick(random, words) for name, words in _FILL.items()})


def _pick(random: np.random.Generator, words: list[str]) -> str:
    return words[int(random.integers(len(words)))]


def _pick_zipf(random: np.random.Generator, words: list[str]) -> str:
    """A word, the n-th with a chance in proportion to 1 / (n + 4)."""
    weights = 1 / (np.arange(len(words)) + 4)
    return words[int(random.choice(len(words), p=weights / weights.sum()))]
