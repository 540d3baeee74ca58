//! Units and currencies: `name base factor`, and which words or signs stand for them.

/// A line: base unit, factor to it, and the words. Only what converts without rounding shares a base.
pub(in crate::semantic) const MEASURES: &str = "
second 1 second seconds sec secs s sekunde sekunden seconde secondes segundo segundos секунда секунды секунд
second 60 minute minutes min mins minuten minuto minutos минута минуты минут
second 3600 hour hours hr hrs h stunde stunden heure heures hora horas час часа часов
second 86400 day days tage tagen jour jours dia dias день дня дней
second 604800 week weeks wk wks woche wochen semaine semaines semana semanas неделя недели недель
month 1 month months mo monat monate monaten mois meses месяц месяца месяцев
month 12 year years yr yrs jahr jahre jahren annee annees ano anos год года лет
second 0.001 millisecond milliseconds ms
metre 1 metre metres meter meters m
metre 1000 kilometre kilometres kilometer kilometers km kms
metre 0.01 centimetre centimetres centimeter centimeters cm cms
metre 0.001 millimetre millimetres millimeter millimeters mm
mile 1 mile miles mi
foot 1 foot feet ft
inch 1 inch inches
yard 1 yard yards
gram 1 gram grams g gm gms
gram 1000 kilogram kilograms kg kgs kilo kilos
gram 0.001 milligram milligrams mg
pound 1 pound pounds
lb 1 lb lbs
ounce 1 ounce ounces oz
stone 1 stones
litre 1 litre litres liter liters l
litre 0.001 millilitre millilitres milliliter milliliters ml
teaspoon 1 teaspoon teaspoons tsp tsps
tablespoon 1 tablespoon tablespoons tbsp tbsps
cup 1 cup cups
pint 1 pint pints
quart 1 quart quarts qt
gallon 1 gallon gallons gal
byte 1 kb kilobyte kilobytes
megabyte 1 mb megabyte megabytes
gigabyte 1 gb gigabyte gigabytes
terabyte 1 tb terabyte terabytes
hertz 1 hz
hertz 1000000 mhz
hertz 1000000000 ghz
watt 1 w watt watts
watt 1000 kw kilowatt kilowatts
volt 1 v volt volts
celsius 1 c celsius centigrade °c
fahrenheit 1 f fahrenheit °f
degree 1 degree degrees °
percent 1 % percent pct
usd 1 $ usd dollar dollars buck bucks
eur 1 € eur euro euros
gbp 1 £ gbp quid
jpy 1 ¥ jpy yen
inr 1 ₹ inr rupee rupees rs
cny 1 cny yuan rmb
chf 1 chf franc francs
cent 1 ¢ cent cents
krw 1 ₩ krw
rub 1 ₽ rub ruble rubles rouble roubles
cad 1 cad
aud 1 aud
nzd 1 nzd
sek 1 sek
nok 1 nok
dkk 1 dkk
pln 1 pln
czk 1 czk
huf 1 huf
mxn 1 mxn
brl 1 brl
zar 1 zar
sgd 1 sgd
hkd 1 hkd
thb 1 thb
ils 1 ils
aed 1 aed
sar 1 sar
btc 1 ₿ btc bitcoin bitcoins
calorie 1 calorie calories kcal cal
mph 1 mph
kph 1 kph kmh
";

/// What a number is multiplied with.
pub(in crate::semantic) const MULTIPLIERS: &str = "
100 hundred
1000 thousand k
1000000 million mn mio
1000000000 billion bn
1000000000000 trillion
100000 lakh lakhs lac lacs
10000000 crore crores
12 dozen
";
