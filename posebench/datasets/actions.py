"""Action classes: what people did in a clip, in a dozen words that motion capture databases share.

The databases describe their clips in words of their own: the CMU index in over a thousand sentences, HDM05 in names
such as `jogLeftCircle4StepsRstart`. `action_class` sorts both by one table of keywords, so that results by action
compare across them. A clip has one class; what is done in passing does not show.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, get_args

from posebench.errors import UsageError

#: What readers can make the key `action` of: the database's words, or their class.
Naming = Literal["description", "class"]

#: Class -> what it is, in the order of tables.
ACTION_CLASSES = {
    "walk": "walking in any manner, marching, stepping, sneaking; navigating a path",
    "run": "running and jogging",
    "jump": "jumping, hopping, leaping",
    "climb": "ladders, stairs, steps and stools",
    "sit": "sitting and lying down, and getting up",
    "reach": "reaching, picking up, putting down, carrying",
    "gesture": "signs and emotions shown with hands and body",
    "everyday": "chores and tools: washing, sweeping, drinking, dressing, driving",
    "dance": "dances, ballet among them",
    "sport": "ball games, golf, swimming, gymnastics and flips",
    "fight": "punches, kicks, swords and martial arts",
    "exercise": "squats, stretches, jumping jacks and others that are done on the spot",
    "balance": "keeping one's balance",
    "playground": "climbing, hanging and swinging on playground equipment",
    "other": "whatever has no keyword below: animals that people act, poses, clips without a description",
}

#: The first row with a keyword that the description has decides. A keyword is a word, or several in a row; a star
#: stands for any end of a word. What a clip is about comes before what is done on the way, so walking is nearly last.
_RULES = (
    ("playground", "playground"),
    ("gesture", "signals, nursery rhyme, direct traffic"),
    ("dance", "danc*, ballet, salsa, charleston*, lindy*, pirouette*, arabesque*, jete*"),
    ("fight", "punch*, boxing, sword*, fight*, attack*, karate, martial, quarrel, violence"),
    ("sport", "basketball, football, soccer, baseball, golf, tennis, frisbee, dribble, ball, throw, throwing, tee"),
    ("sport", "putt, swim*, stroke, skateboard*, ski, skier, gymnast*, acrobat*, cartwheel*, flip*, backflip*"),
    ("sport", "handstand*, handspring*, somersault*"),
    ("fight", "kick*"),
    (
        "exercise",
        "jumping jack*, range of motion, elbow to knee, rotate arms, push ups, pushup*, sit ups, situp*, yoga",
    ),
    ("exercise", "tai chi, lunge*"),
    ("climb", "climb*, ladder*, stair*, staircase*"),
    ("jump", "jump*, hop*, leap*"),
    ("balance", "balanc*, one leg"),
    ("reach", "reach*, pick*, grab*, deposit*, lift*, scoop*, set down, put down, placing, carry*, suitcase"),
    ("sit", "sit, sits, sitting, lie, lying, lay, laying, stand up, get up, getting up, chair, stool"),
    ("exercise", "squat*, stretch*, exercis*, twists"),
    (
        "gesture",
        "wave*, waving, gestur*, point*, nod*, shrug*, bow, curtsey, clap*, five, greet*, comforts, shake hands",
    ),
    ("gesture", "shaking hands, laugh*, cry, crying, conduct*, giving directions, conversation"),
    (
        "everyday",
        "wash*, wipe*, sweep*, mop, vacuum*, rak*, broom, drink*, sip*, eat*, soda, coffee, putting on, shav*",
    ),
    ("everyday", "paint*, hammer*, saw*, screw*, unscrew*, bolt, sew*, typ*, dial*, driv*, push*, pull*, drag, chop*"),
    ("run", "run*, jog*, sprint*"),
    (
        "walk",
        "walk*, march*, step*, sneak*, stride*, navigate, wander*, limp*, hobble*, pacing, creep*, shuffl*, sidestep*",
    ),
)


def action_class(description: str) -> str:
    """The class of a clip out of `ACTION_CLASSES`, by the words that describe it.

    Letter case does not matter, and words may be run together as in `sitDownChair`. If several keywords of the table
    are there, the one that stands first in it decides, wherever it is in the description.

    Examples
    --------
    >>> action_class("walk, exaggerated stride"), action_class("jump, balance"), action_class("sitDownChair")
    ('walk', 'jump', 'sit')
    >>> action_class("")
    'other'
    """
    # Words end where small letters meet capital ones, where letters meet digits, and at all other characters.
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", description)
    text = f" {' '.join(words).lower()} "
    return next((name for name, pattern in _patterns() if pattern.search(text)), "other")


def named(description: str, actions: Naming) -> str:
    """What a reader calls an action: its description or its class.

    Raises
    ------
    UsageError
        If `actions` is neither.

    Examples
    --------
    >>> named("slow walk", "class")
    'walk'
    """
    if actions not in get_args(Naming):
        raise UsageError(f"actions is {actions!r}, expected one of {', '.join(get_args(Naming))}")
    return action_class(description) if actions == "class" else description


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (name, re.compile("|".join(f" {word.strip().replace('*', '[a-z]*')} " for word in words.split(","))))
        for name, words in _RULES
    )


__all__ = ["ACTION_CLASSES", "Naming", "action_class", "named"]
