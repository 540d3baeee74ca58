//! English opposites: a line is a scale, `|` stands between its two ends, words of one end are synonyms.

/// Scales on which "not" leads from one end to the other: not thin is fat, less passive is more active.
pub(in crate::semantic) const GRADED: &str = "
happy glad joyful cheerful delighted merry joyous content contented jolly elated | sad unhappy sorrowful miserable gloomy dejected downcast melancholy discontented
fat overweight obese chubby plump corpulent | thin slim skinny slender lean underweight
smart intelligent clever brainy brilliant | stupid dumb unintelligent foolish idiotic
brave courageous fearless valiant daring bold heroic | cowardly fearful timid
active energetic lively vigorous | passive inactive lethargic
progressive | conservative
dependent reliant | independent self-reliant autonomous
offensive | defensive
optimistic | pessimistic
hopeful | hopeless
positive | negative
remember | forget
good great excellent fine superb terrific | bad terrible awful horrible dreadful lousy
best top finest greatest | worst
better superior | worse inferior
big large huge enormous massive gigantic giant | small little tiny petite miniature
tall lofty | short
long lengthy | brief
high | low
fast quick rapid speedy swift | slow sluggish
hot | cold chilly
warm | cool
rich wealthy affluent prosperous | poor impoverished penniless
easy simple effortless | difficult hard tough challenging
expensive costly pricey | cheap inexpensive affordable
strong powerful sturdy | weak feeble frail
heavy | lightweight
old aged elderly | young youthful
new recent | outdated obsolete
modern contemporary | ancient antique
clean spotless | dirty filthy grimy
wet soggy damp moist | dry
hard-working industrious diligent | lazy idle
safe secure | dangerous hazardous unsafe risky perilous
healthy fit | unhealthy sick ill unwell ailing
legal lawful | illegal unlawful illicit outlawed
normal ordinary usual | abnormal unusual strange weird odd bizarre peculiar
common widespread | rare uncommon scarce
often frequently regularly | rarely seldom infrequently
always forever | sometimes occasionally
public | private
polite courteous respectful well-mannered | rude impolite disrespectful discourteous
kind kindly nice gentle compassionate caring benevolent | cruel unkind nasty heartless brutal
friendly amiable affable | unfriendly hostile
generous charitable | stingy greedy miserly
honest truthful sincere | dishonest deceitful lying insincere
humble modest | arrogant conceited proud boastful cocky
patient | impatient
calm relaxed peaceful serene tranquil | anxious nervous worried stressed tense agitated
loud noisy | quiet silent
beautiful pretty gorgeous attractive lovely good-looking handsome | ugly unattractive hideous
interesting fascinating intriguing engaging | boring dull tedious
important significant essential crucial vital | unimportant insignificant trivial
useful helpful handy beneficial | useless unhelpful
possible feasible | impossible
true accurate correct right | false wrong incorrect inaccurate untrue
real genuine authentic | fake counterfeit phony bogus
full | empty
deep | shallow
wide broad | narrow
sharp | blunt
smooth | rough
tight | loose
bright | dark
early | late
first initial | last final
near nearby | far distant
inner interior internal | outer exterior external
natural | artificial synthetic
domestic | foreign
local | global
permanent | temporary
maximum max | minimum min
major | minor
majority | minority
married | single unmarried
pregnant | unpregnant
sober | drunk intoxicated
tidy neat orderly | messy untidy
careful cautious prudent | careless reckless
mature grown-up | immature childish
religious pious devout | secular irreligious
famous renowned celebrated well-known | unknown obscure
popular | unpopular
successful | unsuccessful
talkative chatty garrulous loquacious | taciturn
outgoing extroverted extrovert sociable gregarious | introverted introvert shy bashful
outspoken vocal | reticent
confident self-assured assured | insecure diffident
loyal faithful devoted | disloyal unfaithful treacherous
responsible | irresponsible
rational logical reasonable sensible | irrational illogical unreasonable
flexible adaptable | inflexible rigid stubborn obstinate
open-minded | close-minded narrow-minded
experienced seasoned | inexperienced novice
aggressive | meek
violent | nonviolent
guilty | innocent
alive living | dead deceased
awake | asleep
present | absent
visible | invisible
complete whole entire | incomplete partial
certain sure | uncertain unsure
clear | unclear vague ambiguous
fair just impartial unbiased | unfair unjust biased
equal | unequal
free | paid
available | unavailable
allow permit let | forbid prohibit ban disallow
mandatory compulsory obligatory required necessary | optional voluntary
valid | invalid expired void
included covered | excluded
online internet web | offline
automatic | manual
advanced | basic beginner elementary
ambitious driven | unambitious
creative imaginative inventive | unimaginative
productive efficient | unproductive inefficient
motivated | unmotivated
focused attentive concentrated | distracted inattentive unfocused
tolerant | intolerant
moral ethical virtuous | immoral unethical
selfless unselfish altruistic | selfish egoistic self-centered egotistical
emotional | unemotional stoic
sensitive | insensitive
serious solemn | playful frivolous
literate | illiterate
employed | unemployed jobless
educated | uneducated ignorant
trustworthy reliable dependable | untrustworthy unreliable
superstitious | skeptical
masculine manly | feminine womanly
straight heterosexual | gay homosexual
vegetarian | carnivorous
fertile | barren infertile
fresh | stale rotten
sweet | bitter sour
spicy | bland
crowded | deserted
curious inquisitive | incurious
grateful thankful | ungrateful thankless
lucky fortunate | unlucky unfortunate
";

/// Opposites that "not" does not turn into each other: not buying is not selling. These always separate.
/// Of verbs, the second end undoes what the first one does.
pub(in crate::semantic) const CONVERSE: &str = "
buy purchase | sell
borrow | lend
open | close shut
start begin commence | stop end finish cease quit halt
increase raise expand | decrease reduce lower lessen shrink contract
gain | lose misplace mislay
win | defeat
write compose | read peruse
encode | decode
send | receive
deposit | withdraw
credit | debit
income | expense
import | export
upload | download
push | pull
enter | exit
arrive | depart
arrival | departure
come | go
give | take
accept approve | reject deny refuse decline disapprove
enable activate | disable deactivate
add | remove subtract delete erase eliminate
insert | extract
create build construct design produce | destroy demolish
attach | detach
connect | disconnect
lock | unlock
install | uninstall
subscribe | unsubscribe
follow | unfollow
block | unblock
hide | reveal
encrypt | decrypt
compress | decompress
love like enjoy adore relish | hate dislike despise detest loathe
succeed | fail
pass | flunk
live | die
birth | death
marry | divorce
agree | disagree
appear | disappear
rise | fall drop
ascend | descend
maximize | minimize
strengthen | weaken
freeze | melt
fill | drain
employ hire recruit | fire dismiss
teach | learn
ask inquire | answer reply respond
friend pal buddy | enemy foe
parent | child kid
husband | wife
father dad daddy | mother mom mum mommy
brother | sister
son | daughter
uncle | aunt
nephew | niece
grandfather grandpa | grandmother grandma
king | queen
prince | princess
actor | actress
boy | girl
man men male gentleman | woman women female lady
boyfriend bf | girlfriend gf
groom | bride
landlord | tenant
lender | borrower
payer | payee beneficiary
buyer | seller
employer | employee
teacher | student pupil
sender | recipient receiver
winner | loser
attacker | defender
predator | prey
cause | effect impact
advantage benefit pro | disadvantage drawback con downside flaw
strength | weakness
profit | loss
asset | liability
supply | demand
north | south
east | west
northern | southern
eastern | western
left | rightward
front | back
morning | evening
day | night
today | tomorrow | yesterday
summer | winter
weekday | weekend
login | logout
spring | autumn
past | future
input | output
sunrise | sunset
peace | war
heaven | hell
truth | lie
virtue | vice
plaintiff | defendant
checking | savings
domestically | internationally
short-term | long-term
";

/// Particles and prepositions with an opposite; they are compared where all other words agree.
pub(in crate::semantic) const DIRECTIONS: &str = "
up upward | down downward
in inside into | out outside
on | off
over above | under below beneath underneath
before prior until within | after following since
with | without
more | less fewer
most | least
from | to
";
