//! English synonyms: each line is one meaning, in whichever inflection.

/// Words that a question may exchange without asking something else.
pub(in crate::semantic) const GROUPS: &str = "
get obtain acquire
find locate discover
show display view see look
tell inform notify
explain describe clarify
know understand comprehend comprehension
help assist aid assistance support
fix repair mend resolve solve
make do perform
choose select pick
change alter modify edit
update refresh
use utilize
need require
want wish desire
try attempt
happen occur
talk speak chat
think believe according opinion consider
say state mention
work function operate
improve enhance boost hone upgrade
grow develop
verify confirm validate
check examine inspect
search seek
join enroll register
leave resign
keep retain maintain
hold possess
move relocate
travel journey
visit tour
pay spend
cost price charge fee
save preserve
deliver delivery ship shipping shipment dispatch
order request
exchange swap
replace replacement substitute
damage harm hurt injure
break crack
protect defend safeguard
avoid evade prevent
prefer favor
cry weep sob
laugh giggle
shout yell scream
smile grin
sleep slumber
eat consume dine
drink sip
cook prepare
wear don
study revise
practice rehearse
train coach
calculate compute determine
count tally
measure gauge
compare contrast
differ vary
difference distinction
similar alike comparable resembling
same identical
different distinct
many several numerous various multiple
all every each everything
person people individual human somebody someone anybody anyone everybody everyone
guy dude fellow
company firm corporation business enterprise
job employment occupation profession career
boss manager supervisor
coworker colleague
salary wage earnings remuneration paycheck
house home residence
flat apartment condo
car automobile vehicle auto
bike bicycle
motorcycle motorbike
plane planes airplane aircraft aeroplane
flight flying
phone telephone cellphone mobile cell smartphone
computer pc
laptop notebook
tv television telly
movie film
picture photo photograph image pic
song track tune
band group
book novel
paper article
magazine journal
website site webpage
app application
program software
email mail
password passcode
account acct
card plastic
store shop
restaurant eatery diner
hotel inn
hospital clinic
medicine medication drug
lawyer attorney
cop policeman police
college university
exam test examination
class course lesson
subject topic
language tongue
word term
meaning definition mean define signify
name title
number digits
amount sum quantity
total overall
part portion piece section
type sort category
way method manner approach technique
purpose goal aim objective
idea notion
plan scheme
problem issue trouble difficulty
mistake error fault
result outcome consequence
example instance
information info details data
news headlines
advice suggestion recommendation tip
suggest recommend advise
rule regulation
law statute
government gov govt
country nation
city town
place location spot
area region zone
street road
trip vacation holiday getaway
money cash fund funds currency
bill invoice
tax levy
insurance coverage
limit cap
allowance quota
time hour
moment instant
period duration
year annum
annual yearly
daily everyday
soon shortly
immediately instantly
now nowadays currently presently
again anew
approximately roughly around
enough sufficient adequate
extra additional
other another else
main primary chief principal
author writer
singer vocalist
scientist researcher
engineer technician
artist painter
adviser advisor consultant counselor
investigator detective
reporter journalist
interpreter translator
executive exec
administrator admin
educator instructor
entrepreneur businessman
accountant bookkeeper
intern trainee
ultimate premier
angry mad furious irate enraged
afraid scared frightened terrified
tired exhausted weary fatigued
hungry starving famished
surprised amazed astonished shocked
confused puzzled perplexed baffled
crazy insane
funny humorous hilarious amusing comical witty
wise sage
holy sacred
spiritual godly
jealous envious
lonely lonesome
eager keen
enthusiastic passionate zealous ardent
determined resolute persistent tenacious
sophisticated refined cultured
elegant graceful
fashionable stylish trendy
charming charismatic appealing
persuasive convincing
articulate eloquent
skilled skillful proficient competent adept
talented gifted
knowledgeable well-informed erudite
perceptive observant insightful
thoughtful considerate
sympathetic empathetic
affectionate loving tender
romantic amorous
sexy seductive
muscular brawny
athletic sporty
agile nimble
hardy resilient
disciplined self-controlled
methodical systematic
punctual prompt
thrifty frugal economical
spontaneous impulsive
moody temperamental
bossy domineering
sarcastic snide
cynical sceptical
naive gullible
mysterious enigmatic
unique one-of-a-kind
sofa couch
rug carpet
garbage trash rubbish waste
bathroom restroom toilet washroom
elevator lift
gas gasoline petrol fuel
cookie biscuit
candy sweets
soda pop
fries chips
meal dish
grocery groceries
calorie kcal
weight mass
exercise workout
illness disease sickness ailment
pain ache
cure heal remedy treat treatment
pregnancy gestation
baby infant
dog canine
pup puppy
cat feline kitten kitty
animal creature beast
bug insect
rabbit bunny
donkey ass
universe cosmos
earth world globe
ocean sea
forest woods
stone rock
weather forecast
temperature temp
rain rainfall
reminder remind
calendar agenda
schedule timetable
meeting appointment
reservation booking reserve
luggage baggage
traffic congestion
directions route
distance mileage
tire tyre
volume loudness
speaker loudspeaker
settings preferences
repeat replay
timer countdown
transfer remit
refund reimbursement reimburse
fraud scam
suspicious unrecognized unfamiliar
identity id identification
proof evidence
document paperwork
overdraft overdrawn
atm cashpoint
topup recharge reload
merchant retailer vendor
retirement pension
waive waiver
qualify eligible eligibility
contact reach
complain complaint
wait waiting
hurry rush
pending processing
reverted reversed
duplicate twice double
guarantee warrant
restriction restrict
lifespan longevity
size dimension
color hue
sound noise
smell odor scent sniff
taste flavor
goodbye bye farewell
greeting greetings
stay remain
continue proceed
convert transform
reset restore
link url
parcel package
india bharat
overcome cope handle combat tackle conquer control fight
undo revert
faucet tap
drip leak
encounter experience witness
custom customized customised personalized personalised
consist comprise
mislead deceive
metro subway underground
trousers pants
solo lone
establish setup
merge combine
identify recognize detect diagnose
retrieve recover
center middle
legit legitimate
former ex
sharpen whet
amazing awesome incredible wonderful fantastic mindblowing marvelous marvellous astounding
yummy delicious tasty
meaningless pointless
fingernail nail
events incident incidents
tech technology technological technical
gender sex
psycho psychopath
stance position viewpoint standpoint
role responsibility
opportunity chance
tool equipment gadget device
ability skill
related linked associated
acne pimple
engineering engg
america usa us
uk britain
gather collect
almost nearly
conceal disguise
arrange organize
worldwide globally
product item
";

/// Terms: each line is one thing or one act. No word of little weight stands for them, as for the words above: "use my card"
/// asks something else than "cancel my card".
pub(in crate::semantic) const TERMS: &str = "
drive motor
rent lease
steal thieve
kill murder slay
attack assault
wash rinse
translate interpret
spell spelling
pronounce pronunciation
mute silence
dial call
coupon voucher promo promotional
clothes clothing apparel garment
syllabus curriculum
doctor physician
cab taxi
customer client
goods merchandise
folder directory
throw toss
jump leap
cancel terminate
donate contribute
mix blend
postpone defer
hug embrace
stomach belly tummy
vegetable veggie
abroad overseas
teenager teen adolescent
pharmacy drugstore
handbag purse
speed velocity
coast shore
eyeglasses spectacles
extend prolong lengthen
";

/// Spellings, abbreviations and short forms: each line is one word, the first as which it is looked up.
pub(in crate::semantic) const SHORT_FORMS: &str = "
okay ok
information info
application app
advertisement ad advert
laboratory lab
javascript js
mathematics math maths
professor prof
photograph photo
department dept
apartment apt
approximately approx
appointment appt
number num
versus vs
maximum max
minimum min
international intl
university uni
government govt
programme program
gray grey
tyre tire
kerb curb
centre center
theatre theater
metre meter
litre liter
licence license
defence defense
practise practice
jewellery jewelry
aluminium aluminum
catalogue catalog
dialogue dialog
travelling traveling
cancelled canceled
cancelling canceling
enrol enroll
fulfil fulfill
check cheque
pajamas pyjamas
donut doughnut
mustache moustache
draft draught
diaper nappy
eggplant aubergine
zucchini courgette
refrigerator fridge
sidewalk pavement
stroller pushchair pram
truck lorry
highway motorway
flashlight torch
sweater jumper
zipcode postcode
instagram insta
facebook fb
sulfur sulphur
sulfate sulphate
whiskey whisky
disk disc
youtube yt
powerpoint ppt
volkswagen vw
skilful skillful
judgement judgment
ageing aging
plough plow
mum mom
pyjamas pajamas
sceptical skeptical
people ppl
because cuz coz
tomorrow tmrw tmr
monday mon
tuesday tue tues
wednesday wed
thursday thu thurs
friday fri
saturday sat
sunday sun
tonight 2nite
message msg
please pls plz
thanks thx
pornography porn
influenza flu
christmas xmas
birthday bday
video vid
transaction txn
amount amt
business biz
password pwd
management mgmt
manager mgr
average avg
quantity qty
though tho
through thru
";
