"""Questions that no company's documents answer, to learn when to refuse: everyday talk, and words thrown together."""

from collections.abc import Sequence

import numpy as np

from aigc_models.retrieval.tokens import question_words

_LENGTHS = ((4, 9), (8, 20))  # words of questions made of passages' words

ENGLISH = (
    "What is the weather like tomorrow?", "Who won the football game last night?", "How tall is Mount Everest?",
    "Can you recommend a good pizza place nearby?", "What should I cook for dinner tonight?",
    "When was the French Revolution?", "How do I get rid of a cold?", "Tell me a joke about penguins",
    "What is the capital of Australia?", "How long should I boil an egg?", "Who wrote Pride and Prejudice?",
    "My dog does not eat, what can I do?", "Which phone should I buy this year?", "How far away is the moon?",
    "Why is the sky blue?", "How do I change a flat tyre?", "What are the lyrics of that song from the nineties?",
    "Do you believe in ghosts?", "How can I lose weight quickly?", "What time does the train to Berlin leave?",
    "Is it safe to swim after eating?", "How do you say thank you in Japanese?", "Who is the president of Brazil?",
    "Which vitamins are in spinach?", "How do I knit a scarf?", "What is the best age to learn the piano?",
    "Can you book me a flight to Madrid?", "How many players are in a rugby team?", "My baby cries at night",
    "Where can I find cheap concert tickets?", "What causes earthquakes?", "How do I paint a wooden fence?",
    "What is the meaning of life?", "How much does an elephant weigh?", "Which film won the Oscar in 1998?",
    "How do I grow tomatoes on a balcony?", "What is a good present for my grandmother?", "Are you a human?",
    "How much tax do I pay on a lottery win?", "What happened to the dinosaurs?", "How do I iron a shirt?",
    "Where does the Danube begin?", "Can cats see in the dark?", "Who painted the Mona Lisa?",
    "How do bees make honey?", "What is the fastest animal on land?", "How do I fix a leaking tap?",
    "Which wine goes with fish?", "What was the score in the cup final?", "How old is the universe?",
)  # fmt: skip
CHINESE = (
    "明天天气怎么样？", "昨晚的足球赛谁赢了？", "珠穆朗玛峰有多高？", "附近有什么好吃的比萨店？", "今晚做什么菜好？",
    "法国大革命是哪一年？", "感冒了怎么办？", "讲个关于企鹅的笑话", "澳大利亚的首都是哪里？", "鸡蛋要煮多久？",
    "红楼梦是谁写的？", "我的狗不吃东西，怎么办？", "今年买哪款手机好？", "月亮离地球有多远？",
    "天空为什么是蓝色的？", "轮胎爆了怎么换？", "那首老歌的歌词是什么？", "你相信有鬼吗？", "怎样才能快速减肥？",
    "去北京的高铁几点发车？", "吃完饭能马上游泳吗？", "谢谢用日语怎么说？", "巴西的总统是谁？",
    "菠菜里有哪些维生素？", "围巾怎么织？", "几岁开始学钢琴最好？", "帮我订一张去上海的机票",
    "一支橄榄球队有几个人？", "宝宝晚上总是哭", "哪里能买到便宜的演唱会门票？", "地震是怎么发生的？",
    "木栅栏怎么刷漆？", "人生的意义是什么？", "一头大象有多重？", "哪部电影得了奥斯卡奖？", "阳台上怎么种番茄？",
    "送奶奶什么礼物好？", "你是真人吗？", "中彩票要交多少税？", "恐龙是怎么灭绝的？", "衬衫怎么熨？",
    "长江的源头在哪里？", "猫在黑暗中看得见吗？", "蒙娜丽莎是谁画的？", "蜜蜂是怎么酿蜜的？",
    "陆地上跑得最快的动物是什么？", "水龙头漏水怎么修？", "吃鱼配什么酒？", "决赛比分是多少？", "宇宙有多少岁？",
)  # fmt: skip


def everyday(chinese: bool) -> Sequence[str]:
    """Everyday questions, those of a test and of a calibration taking turns."""
    return CHINESE if chinese else ENGLISH


def drawn_for(texts: Sequence[Sequence[str]], count: int, seed: int) -> list[str]:
    """What an assistant learns to refuse, from two words to twenty: what is longer than an answered question is no
    more likely to have an answer, which the short ones alone would not tell.

    Args:
        texts: Passages as words, none of them empty.
        count: How many to make of each kind that is drawn.
        seed: Draws them.
    """
    spoken: list[str] = []
    for chinese in (False, True):
        own = everyday(chinese)[::2]
        spoken += [*own, *in_pairs(own)]
    made = thrown_together([question_words(one) for one in spoken], count, seed, (2, 5))
    for lengths in _LENGTHS:
        made += thrown_together(texts, count, seed, lengths)
    return spoken + made


def in_pairs(questions: Sequence[str]) -> list[str]:
    """Each question with the next one, as people ask two things at once."""
    return [f"{one} {other}" for one, other in zip(questions, [*questions[1:], *questions[:1]], strict=True)]


def thrown_together(texts: Sequence[Sequence[str]], count: int, seed: int, lengths: tuple[int, int]) -> list[str]:
    """Questions of as many words as real ones have, each word from another text.

    Args:
        texts: Passages and questions as words, none of them empty.
        count: How many to make.
        seed: Draws them.
        lengths: Fewest and most words of one.
    """
    rng = np.random.default_rng([seed, 5])
    made = []
    for _ in range(count):
        chosen = rng.integers(len(texts), size=int(rng.integers(lengths[0], lengths[1] + 1)))
        made.append(" ".join(texts[one][int(rng.integers(len(texts[one])))] for one in chosen))
    return made
