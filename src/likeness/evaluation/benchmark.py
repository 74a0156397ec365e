"""DreamBench: the 30 subjects and 25 + 25 prompts on which DreamBooth was measured.

github.com/google/dreambooth, dataset/prompts_and_classes.txt. The one placeholder stands for identifier and class noun together
("sks dog"), so that a method which names its subject with one word fills the same template; filled with the
class noun alone it is the text for CLIP-T. Protocol: four pictures per prompt, 30 × 25 × 4 = 3,000.
"""

_ANY = (
    "a {} in the jungle",
    "a {} in the snow",
    "a {} on the beach",
    "a {} on a cobblestone street",
    "a {} on top of pink fabric",
    "a {} on top of a wooden floor",
    "a {} with a city in the background",
    "a {} with a mountain in the background",
    "a {} with a blue house in the background",
    "a {} on top of a purple rug in a forest",
)
_OBJECT = (
    "a {} with a wheat field in the background",
    "a {} with a tree and autumn leaves in the background",
    "a {} with the Eiffel Tower in the background",
    "a {} floating on top of water",
    "a {} floating in an ocean of milk",
    "a {} on top of green grass with sunflowers around it",
    "a {} on top of a mirror",
    "a {} on top of the sidewalk in a crowded street",
    "a {} on top of a dirt road",
    "a {} on top of a white rug",
)
_LIVE = (
    "a {} wearing a red hat",
    "a {} wearing a santa hat",
    "a {} wearing a rainbow scarf",
    "a {} wearing a black top hat and a monocle",
    "a {} in a chef outfit",
    "a {} in a firefighter outfit",
    "a {} in a police outfit",
    "a {} wearing pink glasses",
    "a {} wearing a yellow shirt",
    "a {} in a purple wizard outfit",
)
_PROPERTY = (  # these change the subject itself, so they lower every likeness to it
    "a red {}",
    "a purple {}",
    "a shiny {}",
    "a wet {}",
    "a cube shaped {}",
)

DREAMBENCH_OBJECT_PROMPTS = _ANY + _OBJECT + _PROPERTY
DREAMBENCH_LIVE_PROMPTS = _ANY + _LIVE + _PROPERTY

LIVE_CLASSES = frozenset({"cat", "dog"})

# Folder in the dataset: class noun.
DREAMBENCH_SUBJECTS = {
    "backpack": "backpack",
    "backpack_dog": "backpack",
    "bear_plushie": "stuffed animal",
    "berry_bowl": "bowl",
    "can": "can",
    "candle": "candle",
    "cat": "cat",
    "cat2": "cat",
    "clock": "clock",
    "colorful_sneaker": "sneaker",
    "dog": "dog",
    "dog2": "dog",
    "dog3": "dog",
    "dog5": "dog",
    "dog6": "dog",
    "dog7": "dog",
    "dog8": "dog",
    "duck_toy": "toy",
    "fancy_boot": "boot",
    "grey_sloth_plushie": "stuffed animal",
    "monster_toy": "toy",
    "pink_sunglasses": "glasses",
    "poop_emoji": "toy",
    "rc_car": "toy",
    "red_cartoon": "cartoon",
    "robot_toy": "toy",
    "shiny_sneaker": "sneaker",
    "teapot": "teapot",
    "vase": "vase",
    "wolf_plushie": "stuffed animal",
}


def dreambench_prompts(class_noun: str) -> tuple[str, ...]:
    """The 25 templates for a subject of this class; plush animals and cartoons count as objects."""
    return DREAMBENCH_LIVE_PROMPTS if class_noun in LIVE_CLASSES else DREAMBENCH_OBJECT_PROMPTS
