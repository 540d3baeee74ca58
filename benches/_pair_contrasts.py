"""Opposites, and modifiers that exclude each other, with the nouns that they go with and sentences to put them in."""

from __future__ import annotations

from _pair_words import lines, words


def pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Return the entries of a list of `one/other`; `_` stands for a space."""
    return tuple((one, other) for one, other in (entry.split("/") for entry in words(text)))


#: Adjectives that are opposites, by the nouns before which they can stand.
ADJECTIVES = (
    (
        words("account accounts"),
        pairs("""
            active/dormant personal/corporate shared/sole frozen/unlocked temporary/permanent offshore/domestic
            overdrawn/solvent junior/senior idle/busy existing/prospective insured/uninsured main/secondary
            """),
    ),
    (
        words("card cards"),
        pairs("""
            temporary/permanent physical/virtual expired/valid blank/printed metal/plastic flexible/rigid cracked/intact
            genuine/counterfeit spare/primary glossy/matte reloadable/disposable borrowed/owned used/unused
            """),
    ),
    (
        words("transfer transfers payment payments deposit refund transaction transactions charge fee withdrawal"),
        pairs("""
            recurring/one-off partial/full instant/delayed manual/automatic domestic/foreign early/late
            voluntary/mandatory genuine/fraudulent upfront/deferred taxable/tax-free hefty/modest final/initial
            scheduled/spontaneous legitimate/bogus solitary/joint monthly/yearly enormous/tiny ingoing/outgoing
            weekday/weekend
            """),
    ),
    (
        words("bill statement loan mortgage rate insurance policy salary paycheck taxes"),
        pairs("""
            fixed/variable gross/net monthly/annual overdue/prepaid printed/digital temporary/permanent gradual/sudden
            itemised/summarised secured/unsecured generous/meagre federal/local nominal/effective optional/compulsory
            """),
    ),
    (
        words("flight flights trip vacation holiday journey"),
        pairs("""
            outbound/homeward direct/connecting nocturnal/daytime domestic/intercontinental one-way/round-trip
            spontaneous/planned lengthy/brief relaxing/strenuous cheap/luxurious solo/group wintry/summery
            coastal/inland rural/urban refundable/forfeitable chartered/commercial
            """),
    ),
    (
        words("hotel room restaurant restaurants bar place house apartment"),
        pairs("""
            spacious/cramped noisy/tranquil lavish/frugal shabby/elegant rural/urban upscale/budget central/remote
            sunny/shady modern/antique furnished/bare crowded/deserted formal/casual spotless/filthy smoking/smoke-free
            indoor/outdoor ground-floor/top-floor family-friendly/adults-only
            """),
    ),
    (
        words("recipe meal dinner chicken pizza soup milk food cake ingredients bread"),
        pairs("""
            spicy/mild raw/roasted sweet/savoury bland/flavourful frozen/fresh crispy/soggy vegan/meaty thick/watery
            fatty/lean sugary/unsweetened homemade/shop-bought stale/freshly-baked salted/unsalted wholemeal/refined
            tender/tough nutritious/unhealthy lukewarm/icy
            """),
    ),
    (
        words("phone computer laptop machine tv atm"),
        pairs("""
            brand-new/refurbished wireless/wired faulty/flawless obsolete/state-of-the-art portable/stationary
            noisy/silent bulky/compact sturdy/fragile leased/purchased waterproof/leaky insured/uninsured
            """),
    ),
    (
        words("car tires tire oil gas"),
        pairs("""
            rusty/polished diesel/electric manual/automatic used/brand-new front/rear summer/winter synthetic/natural
            leased/purchased cheap/pricey deflated/inflated spare/main
            """),
    ),
    (
        words("song playlist music alarm timer voice"),
        pairs("""
            cheerful/gloomy upbeat/melancholy acoustic/electronic famous/obscure loud/hushed shrill/mellow
            soothing/annoying ancient/modern instrumental/vocal
            """),
    ),
    (
        words("meeting appointment reminder message email request application reservation order"),
        pairs("""
            urgent/trivial mandatory/optional weekly/quarterly confidential/public morning/evening brief/lengthy
            formal/informal anonymous/signed polite/rude rushed/leisurely provisional/definitive oral/written
            solemn/humorous collective/individual
            """),
    ),
    (
        words("package item purchase delivery"),
        pairs("""
            bulky/compact heavy/featherlight fragile/sturdy genuine/counterfeit cheap/luxurious perishable/durable
            returned/kept wrapped/unwrapped domestic/foreign
            """),
    ),
    (
        words("pin password passcode details information name"),
        pairs("""
            genuine/forged secret/public complete/fragmentary legible/illegible accurate/sloppy maiden/married
            obvious/cryptic temporary/permanent
            """),
    ),
    (
        words("city country airport"),
        pairs("""
            prosperous/impoverished northern/southern eastern/western neutral/belligerent mountainous/flat
            landlocked/coastal tropical/arctic crowded/deserted
            """),
    ),
)

#: Modifiers of which only one holds, by the nouns before which they can stand.
MODIFIERS = (
    (
        words("account accounts"),
        words("student business youth retirement escrow trading pension charity treasury church nursery"),
    ),
    (
        words("card cards"),
        words("gift loyalty travel fuel library student identity membership bus parking dental donor museum"),
    ),
    (
        words("transfer transfers payment payments deposit refund transaction transactions charge fee withdrawal"),
        words("rent tuition mortgage salary dental alimony customs courier parking wedding mooring veterinary gym"),
    ),
    (
        words("bill statement loan mortgage rate insurance policy salary paycheck taxes"),
        words("water gas broadband council dental heating motorcycle student pet farm marine roofing harvest"),
    ),
    (
        words("flight flights trip vacation holiday journey"),
        words(
            "skiing fishing honeymoon business diving safari pilgrimage hiking sailing birdwatching cycling research"
        ),
    ),
    (
        words("restaurant restaurants recipe meal dinner food"),
        words("""
            Thai Korean Lebanese Georgian vegan Ethiopian seafood Peruvian Basque Hungarian halal Moroccan Polish
            Nepalese Danish kosher Turkish
            """),
    ),
    (
        words("recipe soup milk cake bread pizza salad"),
        words("""
            oat almond soy coconut pumpkin mushroom lentil salmon spinach turkey aubergine walnut rhubarb apricot
            cinnamon ginger leek pistachio tofu barley
            """),
    ),
    (
        words("phone computer laptop machine tv car"),
        words("""
            red purple silver turquoise maroon Swedish Japanese Korean German Italian rental vintage office bedroom
            company
            """),
    ),
    (
        words("song playlist music"),
        words("jazz reggae opera salsa gospel flamenco polka techno folk samba bluegrass Bollywood disco grunge waltz"),
    ),
    (
        words("package item purchase delivery order"),
        words("furniture grocery pharmacy wine flower book clothing toy mattress jewellery camera garden bicycle"),
    ),
    (
        words("meeting reminder message email appointment request application"),
        words("""
            dental budget parish choir visa passport mortgage adoption football yoga staff wedding funeral chess
            vaccination piano piano-tuning catering orthodontic
            """),
    ),
)

#: What can be said beside a question about one of the topics, with two opposites.
STATEMENTS = lines("""
    device money| The line went {}.: dead live
    money office| My application was {}.: granted spurned
    order| The parcel was {}.: intact crushed
    money| My landlord is {}.: lenient stern
    device money| The instructions were {}.: lucid baffling
    money travel| The queue was {}.: endless short
    device| The screen is {}.: blurry crisp
    travel money| My passport is {}.: valid lapsed
    money travel device| The agent was {}.: courteous surly
    money office| The office was {}.: deserted packed
    money office| My income has {}.: dwindled soared
    order money| The shop has {} its prices.: hiked slashed
    money office device| The contract is {}.: binding void
    money| My savings have {}.: shrunk grown
    order money| The seller {} the deal.: honoured scrapped
    office| My boss {} the plan.: endorsed vetoed
    money office device| They {} my contract.: extended terminated
    money| The bank {} the debt.: forgave enforced
    office money| The company has {} staff.: recruited sacked
    device| I {} my old laptop.: kept discarded
    money| My tenant {} the flat.: vacated occupied
    order travel food| The price was {}.: exorbitant affordable
    office| I {} the invitation.: accepted spurned
    food order| The lid is {}.: loose tight
    office money| My wages {} last year.: stagnated rose
    travel| The pool is {}.: shallow deep
    travel| The road is {}.: bumpy smooth
    travel| My suitcase is {}.: crammed empty
    order| The fabric is {}.: coarse silky
    money| The flat is {}.: draughty cosy
    travel food order money| The staff {} my complaint.: heeded ignored
    office| The committee {} the proposal.: adopted shelved
    order| The store {} the coupon.: honoured spurned
    office money| The doctor {} the treatment.: began ceased
    travel| My visa was {}.: issued revoked
    money| The landlord {} the rent.: lowered hiked
    food| The knife is {}.: blunt keen
    office| My shift ends at {}.: dawn dusk
    travel| The puppy is {}.: obedient unruly
    travel| The tank is {}.: brimming drained
    travel food| The ice has {}.: melted thickened
    office money| My cousin is {}.: employed jobless
    order| The coat is {}.: baggy snug
    money| My aunt is {}.: wealthy destitute
    travel| The trail was {}.: steep level
    travel device| The engine was {}.: running stalled
    office money| The firm is {}.: thriving bankrupt
    money order| The clerk was {}.: prompt tardy
    travel| The border is {}.: guarded unmanned
    travel| The seats are {}.: adjacent apart
    money office| The tax was {}.: levied lifted
    travel| The ferry has {}.: departed docked
    travel| The plane has {}.: landed departed
    money| The market has {}.: plunged rallied
    device| The signal is {}.: faint strong
    travel| The river is {}.: frozen flowing
    order money| The envelope was {}.: sealed unsealed
    travel| The ban was {}.: imposed lifted
    travel| The beach was {}.: sandy rocky
    food| The bread is {}.: stale fresh
    food| The milk is {}.: sour fresh
    travel| The road was {}.: widened narrowed
    travel| My flight was {}.: early overdue
    device| The tap is {}.: dripping dry
    device| The curtains are {}.: drawn parted
    device| The lights were {}.: dimmed brightened
    device| The heating was {}.: cranked_up turned_down
    office money| The policy {} theft.: covers omits
    travel order| The deal {} insurance.: includes omits
    money office| The scheme {} pensioners.: favours penalises
    money| The rule {} cash.: permits bars
    office money| The firm {} the rumour.: confirmed denied
    money| The charity {} the money.: returned pocketed
    travel| The road was {} for traffic.: cleared blocked
    order| The stain {}.: vanished lingered
    money| My landlord {} the lease.: renewed annulled
    money order| The clerk {} the form.: stamped shredded
    travel| The weather was {}.: balmy freezing
    travel| The air is {}.: humid arid
    travel| The sky is {}.: overcast cloudless
    order| The chair is {}.: wobbly stable
    food travel| The hall was {}.: silent raucous
    travel| The path was {}.: winding straight
    order| The metal is {}.: brittle pliable
    office money| The company is {}.: expanding shrinking
    money| The tenants {} the offer.: welcomed rebuffed
    food| The chef {} the sauce.: thickened diluted
    office| The editor {} the chapter.: inserted deleted
    travel| The pilot {} the landing.: aborted completed
    money order| The manager {} my deposit.: refunded withheld
    office money| The school {} the pupil.: admitted expelled
    office| The union {} the strike.: launched called_off
    office money| My employer {} my bonus.: paid withheld
    office money| The insurer {} the claim.: settled contested
    office travel| The council {} the permit.: granted withdrew
    device money order| The website {} my session.: kept dropped
    order money| The shop {} my warranty.: honoured voided
    travel| The garage {} the tyre.: inflated deflated
    food| The soup was {}.: salty insipid
    food| The oven is {}.: scorching lukewarm
    food| The dough is {}.: sticky crumbly
    food| The portions are {}.: tiny huge
    food| The apples are {}.: ripe unripe
    food| The meat is {}.: tender chewy
    food| The waiter was {}.: cheerful grumpy
    food| My guests are {}.: punctual belated
    food| The kitchen is {}.: spotless filthy
    device| The battery is {}.: drained full
    device| The speaker is {}.: muffled clear
    device| The app {} my photos.: kept erased
    device| My phone {} the cable.: detects ignores
    device| The keyboard is {}.: noisy silent
    device| The update {} the bug.: fixed introduced
    device| The picture is {}.: grainy sharp
    device| The cover is {}.: flimsy sturdy
    device| The router {} the tablet.: admits rejects
    order| The box was {}.: sealed torn
    order| The shoes are {}.: loose tight
    order| The colour is {}.: garish subdued
    order| The sizes run {}.: big small
    order| The courier was {}.: careful clumsy
    order| The discount was {}.: applied revoked
    order| The warranty has {}.: begun lapsed
    office| My notice was {}.: withdrawn submitted
    office| My workload is {}.: light crushing
    office| The deadline is {}.: lenient strict
    office| The vote {} the plan.: upheld overturned
    office| My colleague {} the blame.: took shirked
    office| The auditor {} the books.: approved questioned
    office| My manager {} my idea.: praised ridiculed
    office| The minutes were {}.: verbatim abridged
    office| Our team is {}.: understaffed overstaffed
    money| The dollar has {}.: strengthened weakened
    money| My business is {}.: flourishing ailing
    money| The interest is {}.: simple compound
    money| My spending is {}.: thrifty wasteful
    money| The cashier {} the note.: accepted refused
    money| My pension has {}.: matured collapsed
    money| The account is in {}.: surplus arrears
    money| My debts were {}.: forgiven enforced
    money| The merchant {} the payment.: acknowledged disputed
    money| The pin pad was {}.: working broken
    travel| My seat is {}.: aisle window
    travel| The harbour is {}.: sheltered exposed
    travel| The tour was {}.: guided unaccompanied
    travel| The crossing was {}.: rough calm
    travel| My stopover is {}.: overnight brief
    travel| The island is {}.: inhabited deserted
    travel| The valley is {}.: lush barren
    travel| My aunt is {} of flying.: fond terrified
""")

#: Verbs that are opposites, in forms that stand in questions as they are: after "to" or "I", in the past, with -ing.
VERBS = pairs("""
    open/shut opened/shut opening/shutting activate/deactivate activated/deactivated activating/deactivating
    block/unblock blocked/unblocked blocking/unblocking lock/unlock locked/unlocked freeze/unfreeze frozen/unfrozen
    add/remove added/removed adding/removing deposit/withdraw deposited/withdrew depositing/withdrawing send/receive
    sent/received sending/receiving buy/sell bought/sold buying/selling increase/reduce increased/reduced
    increasing/reducing raise/lower raised/lowered accept/decline accepted/declined accepting/declining approve/reject
    approved/rejected start/stop started/stopped starting/stopping enable/disable enabled/disabled arrive/depart
    arrived/departed arriving/departing lost/found lose/find remember/forget remembered/forgot link/unlink
    linked/unlinked linking/unlinking cancel/reinstate cancelled/reinstated cancelling/reinstating lend/borrow
    freeze/thaw freezing/thawing schedule/postpone scheduled/postponed pause/resume paused/resumed upload/download
    install/uninstall installed/uninstalled subscribe/unsubscribe connect/disconnect connected/disconnected
    save/squander saved/squandered delete/restore deleted/restored deleting/restoring order/return ordered/returned
    verify/falsify allow/forbid allowed/forbidden allows/forbids love/loathe appeared/vanished disappear/reappear
    disappeared/reappeared rejected/accepted repair/break repaired/broke mute/unmute fasten/loosen tighten/loosen
    whisper/shout speak/listen laugh/cry wake/sleep sit/stand hire/sack hired/sacked join/quit joined/quit win/lose
    won/lost borrow/repay borrowed/repaid praise/insult boil/chill thaw/refreeze heat/cool fill/empty inflate/deflate
    hide/reveal reveal/conceal uncover/conceal push/pull expire/begin expired/renewed encourage/deter praised/insulted
    keep/discard spend/hoard spent/hoarded
""")

#: Adjectives, adverbs and nouns that are opposites where they stand alone.
OTHERS = pairs("""
    cheap/pricey cheapest/priciest fast/sluggish fastest/slowest quickly/sluggishly best/worst funny/solemn
    safe/perilous healthy/unhealthy happy/miserable nearest/farthest closest/farthest highest/lowest maximum/minimum
    most/least always/never often/seldom usually/rarely everyone/nobody everything/nothing anywhere/nowhere
    everywhere/nowhere morning/evening sunrise/sunset winter/summer summer/winter husband/wife brother/sister
    mother/father mom/dad son/daughter male/female cold/scorching sunny/rainy dry/soaked wet/dry warm/chilly
    longer/shorter big/tiny small/huge large/tiny bigger/smaller easy/arduous easily/laboriously simple/intricate
    busy/idle loud/hushed louder/quieter physical/virtual domestic/foreign international/domestic private/shared
    legal/illicit true/bogus available/sold-out strong/feeble upstairs/downstairs indoors/outdoors inside/outside
    arrival/departure profit/loss income/expense incomes/expenses credit_card/debit_card debtor/creditor asset/liability
    buyer/seller sender/recipient lender/borrower employer/employee teacher/pupil guest/host success/fiasco gain/loss
    surplus/shortage supply/demand entrance/exit breakfast/supper sweet/savoury spicy/bland vegetarian/carnivorous
    raw/cooked fresh/stale extra/missing additional/fewer recent/ancient recently/long_ago early/belated earlier/later
    immediately/eventually temporary/permanent freshwater/saltwater front/rear forward/backward forwards/backwards
    alive/deceased poor/wealthy rich/penniless full/empty heavy/weightless friend/enemy friends/enemies ally/foe
    hero/villain war/peace
""")
