"""Questions of which one denies what the other says: by "not", by a verb, by an adverb, by a prefix."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from _pair_frames import NO_NOUN, both, framed, is_lower, opposed, opposite_sides
from _pair_words import lines
from _pairs import Pair, differing

if TYPE_CHECKING:
    import random

    from _pairs import Questions

_NEGATED = re.compile(
    r"\b(?:(?P<stem>do|does|did|is|are|was|were|has|have|had|could|would|should)n['’]t|"
    r"(?P<can>can['’]t|cannot|can not)|(?P<will>won['’]t)|"
    r"(?<=\b(?:is|am) )(?P<is>not (?=\w))|(?<=\b(?:was|are|did|has|had) )(?P<was>not (?=\w)))",
    re.IGNORECASE,
)
#: "Isn't it?" asks what "is it?" asks; "why isn't it?" asks something else than "why is it?".
_INVERTED = re.compile(r" (?:i|you|we|they|it|he|she|there|this|that|these|my|the|your|a)\b", re.IGNORECASE)
_WHY = re.compile(r"\b(?:why|reason)\s*$", re.IGNORECASE)
_AUXILIARY = re.compile(
    r"\b(?:i|it|they|we|you|he|she|there|this|that|card|money|payment|transfer|account|app|refund|cash|top[ -]up|atm|"
    r"pin|phone|bank|bill|car|flight|order) "
    r"(?P<word>can|could|will|would|should|must|is|are|was|were|"
    r"(?:has|have|had)(?= (?:been|gone|come|got|made|\w+ed)\b))"
    r"(?= (?!not\b|n['’]t|never\b|like\b|love\b|appreciate\b|rather\b|no\b))",
    re.IGNORECASE,
)
_CONTRACTED = {"can": "can't", "could": "couldn't", "will": "won't", "would": "wouldn't", "should": "shouldn't"}
_CONTRACTED |= {"must": "mustn't", "is": "isn't", "are": "aren't", "was": "wasn't", "were": "weren't"}
_CONTRACTED |= {"has": "hasn't", "have": "haven't", "had": "hadn't"}
#: What somebody wants to do, in the base form.
_TO_DO = re.compile(
    r"^(?:how (?:do|can|could|should|would) i|(?:can|could|may|should) i|i (?:want|need|would like|wanted) to|"
    r"i'd like to|is it possible to|is there a way to|please|do i (?:need|have) to)"
    r" (?P<act>(?!(?:please|be|have|not|i|you|tell|help|explain|advise|let|give|show)\b)"
    r"[a-z]+(?: [\w',$£€%/-]+){1,10})[ ?.!]*$",
    re.IGNORECASE,
)
#: `{}` stands for one of two operators, the second of which denies the first (`/x`: without one), `*` for an act.
_ACTS = lines("""
    What happens if I {} *?|/don't /refuse_to /neglect_to /forget_to /decline_to /omit_to /fail_to /do_not /never
    I {} *.|want_to/refuse_to want_to/don't_want_to want_to/would_hate_to want_to/no_longer_want_to \
        wish_to/dread_having_to
    Should I {} *?|/refuse_to /hesitate_to /never /decline_to /neglect_to
    Is it wise to {} *?|/refuse_to /neglect_to /decline_to /not
    I was told {} *.|to/not_to to/never_to to/under_no_circumstances_to
    My bank {} *.|lets_me/won't_let_me allows_me_to/forbids_me_to allows_me_to/prohibits_me_to \
        allows_me_to/doesn't_let_me
    Why did I {} *?|/refuse_to /fail_to /neglect_to /forget_to /hesitate_to /not
    I can {} *.|easily/hardly easily/barely easily/scarcely certainly/never
    I will {} *.|/hardly_ever /not /never /seldom /definitely_not
    Do I {} *?|really_have_to/not_have_to have_to/no_longer_have_to
    My husband {} to *.|agreed/refused agreed/declined offered/hesitated consented/refused promised/refused
    I {} to *.|managed/failed tried/was_unable remembered/forgot remembered/neglected
    I am {} to *.|able/unable ready/unwilling willing/reluctant willing/loath eager/disinclined happy/unprepared
    I am {} to *.|going/not_going inclined/disinclined planning/no_longer_planning allowed/forbidden
""")
#: Two sides of a statement, the second of which denies the first.
_DENIALS = lines("""
    office| My employer {} the form.|signed/refused_to_sign signed/never_signed signed/neglected_to_sign \
        signed/failed_to_sign
    order| The shop {} it back.|took/refused_to_take took/declined_to_take took/would_not_take took/never_took
    device| The app {}.|opens/refuses_to_open opens/fails_to_open loads/won't_load loads/hardly_loads \
        loads/no_longer_loads
    money| I {} the bill.|paid/failed_to_pay paid/forgot_to_pay paid/never_paid paid/neglected_to_pay paid/could_not_pay
    money order| I {} a receipt.|have/lack have/do_not_have have/have_no have/no_longer_have kept/failed_to_keep
    travel| I travel {} insurance.|with/without with_plenty_of/with_hardly_any
    device| The light {} works.|always/hardly always/never always/seldom still/no_longer usually/scarcely
    money device| {} of my friends use it.|All/None Many/Hardly_any Most/Few Several/Barely_any Plenty/Not_one
    money travel| {} told me about the fee.|Somebody/Nobody Someone/No_one Everybody/Hardly_anybody
    travel food| The price {} breakfast.|includes/excludes includes/does_not_include covers/fails_to_cover
    office money| The plan {} theft.|covers/excludes covers/does_not_cover mentions/omits allows/rules_out
    money| I am {} from the fee.|safe/not_safe released/not_released freed/far_from_free
    money travel| The rules {} cash.|allow/prohibit allow/disallow permit/preclude tolerate/do_not_tolerate
    travel| My visa {} work.|permits/precludes allows/prohibits permits/does_not_permit
    money| The bank {} the charge.|confirmed/denied acknowledged/disavowed recognised/disowned confirmed/never_confirmed
    order| The parcel {} arrived.|has/hasn't has/has_never has/has_yet_to_have
    money device| It works {} on weekends.|even/never mostly/hardly_ever
    money| I {} to the terms.|agreed/never_agreed consented/objected agreed/did_not_agree
    device money| {} the website is up.|At_present/At_no_time Apparently/Hardly_ever
    office| My doctor {} the claim.|supports/disputes believes/disbelieves backs/doubts
    money travel device| The agent {} my call.|answered/ignored answered/failed_to_answer answered/didn't_answer \
        returned/never_returned
    travel| I {} my seat.|like/don't_like like/dislike need/don't_need use/barely_use want/no_longer_want
    money| The tenant {} the key.|returned/withheld returned/failed_to_return returned/never_returned
    order| The seller {} the refund.|issued/denied issued/withheld issued/refused issued/has_not_issued
    office money| We {} the deadline.|met/missed met/didn't_meet met/failed_to_meet
    money| The clerk {} my name.|checked/omitted_to_check checked/forgot_to_check checked/didn't_check
    money| My card {} a chip.|has/lacks has/does_not_have
    food travel| The guests {} the room.|entered/were_kept_from_entering entered/were_barred_from
    travel| The ticket is {} valid.|still/no_longer always/rarely certainly/hardly
    order| I got the parcel {} damage.|with/without with_some/with_no
    money office| The form is {} complete.|perfectly/far_from nearly/nowhere_near quite/anything_but
    money travel| I was {} warned.|clearly/never repeatedly/at_no_point often/hardly_ever
""")
#: An adjective and its negation by a prefix, with what it may be said of.
_PREFIXED = lines("""
    money|account|verified/unverified insured/uninsured registered/unregistered linked/unlinked shared/unshared \
        named/unnamed
    money|card|activated/inactivated signed/unsigned blocked/unblocked used/unused expired/unexpired embossed/unembossed
    money|payment|authorised/unauthorised expected/unexpected confirmed/unconfirmed settled/unsettled \
        refundable/non-refundable
    money|transfer|successful/unsuccessful authorised/unauthorised intended/unintended finished/unfinished
    travel|ticket|refundable/non-refundable stamped/unstamped transferable/non-transferable valid/invalid
    money|fee|taxable/non-taxable disclosed/undisclosed deductible/non-deductible negotiable/non-negotiable \
        reasonable/unreasonable
    travel|room|furnished/unfurnished heated/unheated occupied/unoccupied accessible/inaccessible
    office|employee|qualified/unqualified paid/unpaid skilled/unskilled experienced/inexperienced satisfied/dissatisfied
    money office|document|complete/incomplete signed/unsigned legible/illegible official/unofficial dated/undated \
        sealed/unsealed
    office food|visitor|vaccinated/unvaccinated invited/uninvited accompanied/unaccompanied resident/non-resident
    food|drink|alcoholic/non-alcoholic sweetened/unsweetened carbonated/non-carbonated filtered/unfiltered
    money|loan|secured/unsecured subsidised/unsubsidised repaid/unrepaid
    device|phone|connected/disconnected charged/uncharged scratched/unscratched
    device order|website|responsive/unresponsive encrypted/unencrypted reliable/unreliable
    office money|expense|reimbursed/unreimbursed foreseen/unforeseen necessary/unnecessary justified/unjustified
    office money|lawyer|experienced/inexperienced competent/incompetent certified/uncertified
    office|contract|enforceable/unenforceable binding/non-binding fair/unfair legal/illegal
    travel|trip|planned/unplanned interrupted/uninterrupted guided/unguided eventful/uneventful
    money|flat|inhabited/uninhabited finished/unfinished renovated/unrenovated
    travel|child|supervised/unsupervised vaccinated/unvaccinated related/unrelated
""")


#: "See if it is" asks what "see if it is not" asks.
_WHETHER = re.compile(
    r"\b(?:know|see|check|sure|tell me|wonder\w*|ask\w*|find out|confirm|verify|say) if\b|\bwhether\b", re.IGNORECASE
)


def negation(a: str, b: str, kind: str) -> Pair:
    """Return the pair; the words that only one side has are its operators, a contraction being its "not"."""
    apart = differing(a, b)
    operators = {"not" if word.endswith("n't") or word == "cannot" else word for word in apart}
    return Pair(a, b, "negation", kind, operators=frozenset(operators))


def negation_removed(questions: Questions, rng: random.Random) -> Pair | None:
    found = questions.matching(_NEGATED, rng)
    if found is None:
        return None
    text, match = found
    inverted = _INVERTED.match(text, match.end()) and not _WHY.search(text, 0, match.start())
    if inverted or _WHETHER.search(text, 0, match.start()):
        return None
    affirmed = match["stem"] or (match["can"] and "can") or (match["will"] and "will") or ""
    if match[0][0].isupper():
        affirmed = affirmed.capitalize()
    return negation(text, text[: match.start()] + affirmed + text[match.end() :], "removed, in place")


def negation_inserted(questions: Questions, rng: random.Random) -> Pair | None:
    found = questions.matching(_AUXILIARY, rng)
    if found is None:
        return None
    text, match = found
    if _WHETHER.search(text, 0, match.start("word")):
        return None
    word = match["word"]
    plain = rng.random() < 0.5
    negated = f"{word} not" if plain else _CONTRACTED[word.lower()]
    kind = "not, in place" if plain else "a contraction, in place"
    return negation(text, text[: match.start("word")] + negated + text[match.end("word") :], kind)


def act_refused(questions: Questions, rng: random.Random) -> Pair | None:
    """Return a question about what somebody wants to do, and what if they do not."""
    found = questions.matching(_TO_DO, rng)
    if found is None:
        return None
    act = found[1]["act"].rstrip(" ?.!,")
    frame, _, choices = rng.choice(_ACTS).partition("|")
    sides = [" ".join(frame.replace("{}", side).split()) for side in opposite_sides(rng.choice(choices.split()))]
    if is_lower(found[0]):
        sides = [side.lower() for side in sides]
    a, b = (side.replace("*", act) for side in sides)
    return negation(a, b, "an act refused")


def denial(questions: Questions, rng: random.Random) -> Pair | None:
    sides = opposed(questions, _DENIALS, rng)
    return None if sides is None else negation(*sides, "a denial, beside")


def prefixed(questions: Questions, rng: random.Random) -> Pair | None:
    topics, noun, choices = rng.choice(_PREFIXED).split("|")
    one, other = opposite_sides(rng.choice(choices.split()))
    if rng.random() < 0.5:
        found = questions.matching(re.compile(rf"\b(?:my|the) (?={noun}{NO_NOUN})"), rng, word=noun)
        if found is not None:
            text, match = found
            a, b = (f"{text[: match.end()]}{side} {text[match.end() :]}" for side in (one, other))
            return negation(a, b, "a prefix, in place")
    frame = rng.choice([f"The {noun} is {{}}.", f"It is about the {{}} {noun}.", f"The {noun} was {{}}."])
    chosen = framed(questions, [f"{topics}| {frame}"], rng)
    return None if chosen is None else negation(*both(chosen, [one], [other], rng), "a prefix, beside")


#: What makes a category's pairs, and how much of each is wanted.
NEGATION = ((4, negation_removed), (3, negation_inserted), (6, act_refused), (5, denial), (4, prefixed))
