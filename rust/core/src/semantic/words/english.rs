//! English words that carry grammar, politeness or nothing, and templates of questions.

/// Words that no question turns on: articles, politeness, greetings, fillers, adverbs of emphasis and of the present.
pub(in crate::semantic) const FILLERS: &str = "
a an the please kindly pls plz just really actually literally basically simply somehow truly indeed honestly exactly
certainly definitely obviously clearly apparently seriously totally absolutely completely entirely perhaps maybe possibly
currently presently now still even also too so well ok okay alright hey hi hello hiya yo dear sir madam guys folks mate buddy
thanks thank thx cheers um uh hmm er erm lol btw anyway anyways very quite rather pretty fairly ever already yet then there here
such own kinda sorta sort kind etc eg ie gonna wanna gotta lemme quick quickly again once both either
genuinely frankly essentially practically virtually supposedly allegedly presumably surely undoubtedly evidently
effectively asap right myself yourself oneself thing things stuff yeah yes yep nope sorry greetings regards
";

/// Words that connect others: they count for roles and types of questions, not as content.
pub(in crate::semantic) const FUNCTION: &str = "
of in on at to from by with for about into onto over under between among through throughout during against toward towards upon
within across along around behind beside beyond near per via as than before after since until till up down off out inside
outside above below if whether because while although though unless when whenever where that which who whom whose what why how
and or but nor so yet
is are was were be been being am do does did done doing have has had having get gets got getting gotten
can could may might will would shall should must ought able
more most less least much many few fewer fewest lot lots
i me my mine we us our ours you your yours he him his she her hers it its they them their theirs one ones
this these those some any each every all here there
";

/// Words that only carry tense and number.
pub(in crate::semantic) const AUXILIARIES: &str = "
is are was were be been being am do does did has have had will would i you we it my there
";

/// Negators; each turns the answer around once.
pub(in crate::semantic) const NEGATORS: &str = "
not no never without neither nor none nobody nothing nowhere cannot nought hardly barely scarcely
";

/// Short forms without their apostrophe, and what they stand for; a negator is kept apart.
pub(in crate::semantic) const CONTRACTIONS: &str = "
dont = do not
doesnt = does not
didnt = did not
isnt = is not
arent = are not
wasnt = was not
werent = were not
cant = can not
cannot = can not
couldnt = could not
wont = will not
wouldnt = would not
shouldnt = should not
mustnt = must not
neednt = need not
havent = have not
hasnt = has not
hadnt = had not
aint = is not
shant = shall not
im = i am
ive = i have
youre = you are
youve = you have
youll = you will
theyre = they are
theyve = they have
weve = we have
whats = what is
whos = who is
wheres = where is
whens = when is
hows = how is
whys = why is
thats = that is
theres = there is
heres = here is
hes = he is
shes = she is
lets = let us
gonna = going to
wanna = want to
gotta = got to
lemme = let me
gimme = give me
u = you
ur = your
unable = not able
incapable = not able
";

/// Turns of phrase and what they stand for; nothing after the sign: the phrase is dropped.
pub(in crate::semantic) const TEMPLATES: &str = "
fail to = not
fails to = not
failed to = not
say sorry = apologize
saying sorry = apologizing
aside from = besides
apart from = besides
how do i = how
how can i = how
how could i = how
how should i = how
how would i = how
how do you = how
how can you = how
how would you = how
how do we = how
how can we = how
how should we = how
how does one = how
how can one = how
how should one = how
how do people = how
how am i able to = how
how are you able to = how
how to = how
how i can = how
how do i go about = how
how would i go about = how
how to go about = how
how best to = how
how can i best = how
how is it possible to = how
what is the way to = how
what is a way to = how
what is one way to = how
what is the best way to = how
what is the best way of = how
what is a good way to = how
what is the easiest way to = how
what is the right way to = how
what is the correct way to = how
what is the proper way to = how
what is the process of = how
what is the process to = how
what is the process for = how
what is the procedure to = how
what is the procedure for = how
what is the method to = how
what is the method of = how
what are the steps to = how
steps to = how
what are the ways to = how
what are some ways to = how
what are some good ways to = how
what are some of the ways to = how
what are the best ways to = how
what are some tips to = how
what are some tips for = how
what should i do to = how
what should one do to = how
what do i do to = how
what do i need to do to = how
what must i do to = how
what can i do to = how
what steps do i take to = how
is there a way to = how
is there any way to = how
is there a way i can = how
is there any way i can = how
is there a way that i can = how
are there any ways to = how
is there any way how to = how
is there a way of = how
is there any way of = how
is there a way for me to = how
is there any way for me to = how
is it possible to = how
is it possible for me to = how
is it possible that i = can i
show me how to = how
tell me how to = how
tell me how i can = how
teach me how to = how
teach me to = how
explain how to = how
i need to know how to = how
i want to know how to = how
i would like to know how to = how
i do not know how to = how
i am not sure how to = how
any idea how to = how
how come = why
what is the reason for = why
what is the reason = why
what are the reasons for = why
what are the reasons = why
what is the reason why = why
what is the reason that = why
for what reason = why
the reason why = why
why is it that = why
what time = when
at what time = when
by what time = when
what date = when
on what date = when
on which date = when
which day = when
what day = when
in which place = where
in what place = where
at what place = where
what is the location of = where is
what place = where
how much does it cost to = how much cost
how much does it cost = how much cost
how much do = how much
what is the cost of = how much cost
what is the price of = how much cost
how many times = how often
is used to = is used to
are used to = are used to
was used to = was used to
were used to = were used to
be used to = be used to
been used to = been used to
used to be = formerly
use to be = formerly
used to = formerly
right now = now
as of now = now
just now = now
at the moment = now
at this moment = now
at present = now
at this time = now
these days = now
in fact =
in reality =
in truth =
of course =
as a matter of fact =
for real =
to be honest =
for sure =
at all =
do you think =
do you guys think =
what do you think =
by the way =
in your opinion =
what do you think = what
i think =
i want to know =
i would like to know =
i need to know =
i would love to know =
i am curious =
i am wondering =
i was wondering =
i wonder =
i just want to know =
just wondering =
tell me =
please tell me =
can you tell me =
could you tell me =
would you tell me =
can you please tell me =
could you please tell me =
can someone tell me =
can anyone tell me =
can somebody tell me =
do you know =
do you happen to know =
does anyone know =
does anybody know =
does anyone have =
let me know =
can you explain = explain
can someone explain = explain
could you explain = explain
help me =
can you help me =
could you help me =
help me out =
can you help me out =
could you help me out =
can you help me with =
i need help with =
i need some help with =
i need help =
i have a question =
i had a question =
quick question =
one question =
would you mind =
if you do not mind =
if you would not mind =
if you would =
if you can =
if you could =
if possible =
if that is ok =
when you get a chance =
when you have a moment =
thank you =
thank you so much =
thank you very much =
thank you in advance =
thanks in advance =
many thanks in advance =
thanks a million =
a million thanks =
thanks a bunch =
thanks a ton =
thank you kindly =
much appreciated =
greatly appreciated =
any help is appreciated =
any help would be appreciated =
any help would be great =
i would appreciate any help =
i would appreciate your help =
i appreciate your help =
i appreciate it =
sorry for the trouble =
sorry for the bother =
sorry for bothering you =
sorry for the inconvenience =
sorry to bother you =
sorry to bother =
sorry to trouble you =
sorry if this is a silly question =
sorry if this is a stupid question =
sorry if this has been asked before =
not sure who to ask =
not sure whom to ask =
not sure where to ask =
not sure if this is the right place to ask =
not sure if you can help =
i am not sure who to ask =
i am not sure where to ask =
i do not know who to ask =
i do not know where to ask =
i hope you can help =
hope you can help =
hope you are well =
hope you are doing well =
hope this finds you well =
i hope you are well =
i hope you are doing well =
i would like to ask =
i want to ask =
i wanted to ask =
just wanted to ask =
may i ask =
can i ask =
can i just ask =
bless you =
god bless =
look forward to hearing from you =
looking forward to your reply =
looking forward to hearing from you =
thanks a lot =
many thanks =
by any chance =
by chance =
excuse me =
pardon me =
good morning =
good afternoon =
good evening =
good day =
can you please =
could you please =
would you please =
can you =
could you =
would you =
will you =
i want to =
i would like to =
i would like =
i need to =
i am trying to =
i have to =
am i able to = can i
am i allowed to = can i
am i permitted to = can i
do i need to = must i
do i have to = must i
do you need to = must you
do you have to = must you
whats up with =
what is up with =
how about = what about
what is the meaning of = what mean
what is meant by = what mean
what does it mean to = what mean
what is the definition of = what mean
what is the difference between = difference between
what are the differences between = difference between
what is difference between = difference between
how is different from = difference between
in order to = to
so as to = to
such as = like
as well as = and
along with = and
together with = and
according to you =
according to = think
due to = because
because of = because
as a result of = because
a lot of = many
lots of = many
plenty of = many
a number of = many
a couple of = few
what are some of = what are
what are some = what are
some of the = 
one of the = 
whether or not = whether
not only = 
but also = and
no longer = not
no more than = at most
not more than = at most
no less than = at least
not less than = at least
no fewer than = at least
not fewer than = at least
has yet to = has not
have yet to = have not
had yet to = had not
is yet to = has not
are yet to = have not
anything but = not
not anymore = not
no matter =
why not = why not
no one = nobody
out there =
for me =
on my behalf =
switch on = turn on
switch off = turn off
switched on = turned on
switched off = turned off
e mail = email
e mails = emails
too little = too few
log in = login
log in to = login
sign in to = login
log out of = logout
log out from = logout
sign out of = logout
sign out from = logout
log off from = logout
driver license = driving license
drivers license = driving license
driver licence = driving license
drivers licence = driving license
driving licence = driving license
log into = login
log on = login
sign in = login
sign into = login
sign on = login
log out = logout
log off = logout
sign out = logout
sign off = logout
sign up = signup
set up = setup
top up = topup
topping up = topup
topped up = topup
check in = checkin
check out = checkout
pick up = pickup
wi fi = wifi
united states of america = usa
united states = usa
united kingdom = uk
u s = usa
u s a = usa
u k = uk
new york city = new york
two factor authentication = 2fa
customer care = customer service
customer support = customer service
money back = refund
zip code = zipcode
postal code = zipcode
post code = zipcode
business hours = opening hours
opening times = opening hours
two step verification = 2fa
as soon as possible = asap
frequently asked questions = faq
curriculum vitae = cv
artificial intelligence = ai
machine learning = ml
automated teller machine = atm
personal identification number = pin
frequently asked question = faq
get rid of = remove
mind blowing = amazing
find out = learn
figure out = learn
look for = search
give up = quit
pay back = repay
paid back = repay
paying back = repay
pay off = repay
paid off = repay
paying off = repay
carry out = perform
take care of = handle
deal with = handle
come up with = invent
";

/// Words of politeness and small talk: a short clause of its own at either end that holds one is not part of the question.
pub(in crate::semantic) const COURTESY: &str = "
hey hi hello hiya howdy yo greetings dear please pls plz kindly thanks thank thx thankful cheers grateful appreciate appreciated appreciation
sorry apologies apologize excuse pardon forgive mind bother bothering trouble wondering wonder curious question questions help
helpful assistance regards sincerely sir madam maam guys folks mate buddy friend pal morning afternoon evening day chance moment
minute sec second time convenient convenience ok okay well alright so um uh oh anyway btw quick quickly advance kind kindness
real listen look alexa siri google cortana chatgpt claude gemini copilot assistant bot serious agent representative support customer service hope hoping finds finding
whenever asap ty tysm obliged awaiting forward looking reply response hear bless awesome cool perfect bye goodbye weekend week soon hope hoping favor favour urgent honestly possible know tell advise lot bunch much welcome ta team every everyone everybody love
";

/// Words of little weight: one that stands in one of two questions only, among words that agree, seldom narrows it.
pub(in crate::semantic) const LIGHT: &str = "
person people human humans man thing things way ways one ones someone something anyone anything everyone everything somebody
anybody everybody kind type sort list example name time times world life day place area part bit case point fact idea reason
purpose procedure process method step steps tip tips advice question answer word phrase term concept option options matter
use used using get find know tell think feel want need see look start keep let help try work happen exist seem mean consider
considered call called show provide offer offered involve include contain take give go come going make made learn read say
said speak talk prefer believe suppose supposed expect
best good great better top nice ideal favorite favourite amazing possible available actual main major certain particular specific
general common popular famous important interesting useful different other various several similar same own whole full
current recent latest easy simple effective proper correct right exact total overall
always usually often sometimes easily successfully properly correctly mostly mainly later else
instead forever today nowadays generally normally typically commonly fully actually personally globally
";

/// Words that hold between two sides in either direction.
pub(in crate::semantic) const SYMMETRIC: &str = "
related engaged married similar same equal equivalent identical different differ difference compare comparison vs versus near
close friend compatible dating connected linked alike common acquaintance colleague neighbor neighbour cousin sibling partner
classmate roommate twin spouse rival meet met interact interaction mix combine between distance distant far
";

/// Those of them that hold between two places as well.
pub(in crate::semantic) const DISTANCES: &str = "between distance distant far";

/// Words that change what is asked wherever they are put in: phase, time, exclusiveness, extent.
pub(in crate::semantic) const WEIGHTY: &str = "
formerly previously originally eventually finally initially temporarily simultaneously jointly separately
becoming become former previous next last past future only solely exclusively except alone
twice partially partly automatically manually secretly accidentally intentionally deliberately anonymously
internationally domestically abroad overseas offline remotely
";

/// Names of the months.
pub(in crate::semantic) const MONTHS: &str =
    "january february march april may june july august september october november december";
/// The same, cut to three letters.
pub(in crate::semantic) const MONTHS_SHORT: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
/// Numbers in words, in order from nought.
pub(in crate::semantic) const UNITS: &str = "zero one two three four five six seven eight nine ten eleven twelve thirteen \
     fourteen fifteen sixteen seventeen eighteen nineteen";
/// Tens from twenty on.
pub(in crate::semantic) const TENS: &str = "twenty thirty forty fifty sixty seventy eighty ninety";
/// Ordinals from the first to the twelfth.
pub(in crate::semantic) const ORDINALS: &str =
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth";
