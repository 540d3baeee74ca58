//! English forms that no suffix explains: each line is a base and its forms.

/// Verbs, nouns and adjectives.
pub(in crate::semantic) const FORMS: &str = "
arise arose arisen
bus buses
lens lenses
gas gases
virus viruses
bonus bonuses
campus campuses
be is are was were been being am
bear bore borne
beat beaten
become became
begin began begun
bend bent
bite bit bitten
bleed bled
blow blew blown
break broke broken
breed bred
bring brought
build built
burn burnt
buy bought
catch caught
choose chose chosen
come came
creep crept
deal dealt
dig dug
do did done does
draw drew drawn
dream dreamt
drink drank drunken
drive drove driven
eat ate eaten
fall fell fallen
feed fed
feel felt
fight fought
find found
flee fled
fly flew flown flies
forbid forbade forbidden
forget forgot forgotten
forgive forgave forgiven
freeze froze frozen
get got gotten
give gave given
go went gone goes
grow grew grown
hang hung
have has had having
hear heard
hide hid hidden
hold held
keep kept
kneel knelt
know knew known
lay laid
lead led
leave left
lend lent
lie lay lain lying
light lit
lose lost
make made
mean meant
meet met
overcome overcame
pay paid
prove proven
ride rode ridden
ring rang rung
rise rose risen
run ran
say said
see saw seen
seek sought
sell sold
send sent
sew sewn
shake shook shaken
shine shone
shoot shot
show shown
shrink shrank shrunk
sing sang sung
sink sank sunk
sit sat
sleep slept
slide slid
speak spoke spoken
spend spent
spin spun
stand stood
steal stole stolen
stick stuck
sting stung
strike struck
swear swore sworn
sweep swept
swim swam swum
swing swung
take took taken
teach taught
tear tore torn
tell told
think thought
throw threw thrown
understand understood
undergo underwent
wake woke woken
use used using
hurt hurt
cut cut
put put
set set
let let
hit hit
cost cost
shut shut
spread spread
read read
split split
bet bet
cast cast
bacterium bacteria
alga algae
fungus fungi
cactus cacti
wear wore worn
weep wept
win won
withdraw withdrew withdrawn
write wrote written
man men
woman women
child children
person people persons
foot feet
tooth teeth
goose geese
mouse mice
life lives
wife wives
knife knives
wolf wolves
leaf leaves
half halves
shelf shelves
loaf loaves
thief thieves
medium media
criterion criteria
phenomenon phenomena
index indices indexes
analysis analyses
crisis crises
thesis theses
good better best
bad worse worst
far farther further farthest furthest
";
