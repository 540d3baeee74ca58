//! Stop words and negators of German, Spanish, French and Russian.

/// Words that tell a language; those that English shares are left out.
pub(in crate::semantic) const GERMAN: &str = "
der die das den dem des ein eine einen einem einer ist sind war und oder nicht kein keine keinen wie wo wann warum wer welche welcher
welches ich mein meine meinen meiner du dein deine mit von zu zum zur auf für bei nach aus kann können muss soll wird werden habe haben
hat es wir sie mir mich im am um ohne nie niemals über viel viele
";
pub(in crate::semantic) const SPANISH: &str = "
el la los las un una unos unas es son está están y o no cómo como dónde donde cuándo cuando qué que quién quien por para con sin
de del al mi mis tu tus su sus yo puedo puede se lo le cuál cual cuánto cuanto cuánta hay nunca ni tengo
";
pub(in crate::semantic) const FRENCH: &str = "
le la les un une des du est sont et ou ne pas comment où quand pourquoi qui que quel quelle quels quelles je mon ma mes tu ton
ta tes son sa ses nous vous avec sans pour dans sur au aux de puis peux peut il elle jamais ce cette combien faire
";
pub(in crate::semantic) const RUSSIAN: &str = "
и в на не как что где когда почему кто мой моя мне я ты с без для это у по из к от до можно нельзя нет ли никогда сколько
";

/// Negators; `ne … pas` is one: `ne` and `n'` alone do not count.
pub(in crate::semantic) const GERMAN_NEGATORS: &str =
    "nicht kein keine keinen keinem keiner keines nie niemals ohne nichts niemand weder";
pub(in crate::semantic) const SPANISH_NEGATORS: &str = "no nunca jamás sin nada nadie ningún ninguna ninguno tampoco";
pub(in crate::semantic) const FRENCH_NEGATORS: &str = "pas non jamais sans rien personne aucun aucune";
pub(in crate::semantic) const RUSSIAN_NEGATORS: &str = "не нет нельзя никогда без ничего никто невозможно";

/// Words that ask.
pub(in crate::semantic) const GERMAN_QUESTIONS: &str = "wann wo wer wen wem was warum wie wieso weshalb woher wohin";
pub(in crate::semantic) const SPANISH_QUESTIONS: &str = "cuándo dónde quién qué cómo cuánto";
pub(in crate::semantic) const FRENCH_QUESTIONS: &str = "quand où qui pourquoi comment combien";
pub(in crate::semantic) const RUSSIAN_QUESTIONS: &str = "когда где кто что почему как сколько куда откуда зачем";

/// Prepositions that say when, where or with whom, none of which may stand for another.
pub(in crate::semantic) const GERMAN_PLACES: &str =
    "vor nach bis ab aus während ohne mit gegen für über unter hinter neben";
pub(in crate::semantic) const SPANISH_PLACES: &str = "antes después con sin hasta desde contra sobre bajo durante";
pub(in crate::semantic) const FRENCH_PLACES: &str = "avant après avec sans depuis pendant contre sur sous chez";
pub(in crate::semantic) const RUSSIAN_PLACES: &str = "до после без с против через под над перед";

/// Pairs of prefixes that turn a verb around: switch on, switch off.
pub(in crate::semantic) const GERMAN_PREFIXES: &str = "ein aus an ab an aus auf zu";
pub(in crate::semantic) const RUSSIAN_PREFIXES: &str = "в вы";

/// Prepositions that tell the sides of a way or a change apart.
pub(in crate::semantic) const SIDES: &str =
    "nach zu zum zur in aus von vom auf a al en de del hacia à au vers dans du в на из с от до";

/// Words that hold between two sides in either order, or ask which of them it is.
pub(in crate::semantic) const EITHER: &str = "weit entfernt entfernung abstand zwischen oder distancia lejos entre o distance \
     loin ou расстояние далеко между или";

/// Words before a noun that do not say which kind of thing it is.
const ARTICLES: &str = "der die das den dem des ein eine einen einem einer mein meine meinen meinem dein deine el la los las un una \
     mi mis tu tus su sus le les une des mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs l";

/// Whether a word is an article or says whose a thing is, in German, Spanish or French.
pub(in crate::semantic) fn is_article(word: &str) -> bool {
    ARTICLES.split_whitespace().any(|article| article == word)
}

/// Courtesies, which say nothing at either end of a text.
pub(in crate::semantic) const COURTESIES: &str = "please thanks thank you hello danke bitte hallo guten tag morgen hi hey servus moin vielen dank gracias por favor hola \
     buenas buenos dias tardes muchas merci bonjour bonsoir salut svp stp beaucoup спасибо пожалуйста привет здравствуйте добрый день";

/// Numbers in words that are no other word, without accents, from two to twelve.
pub(in crate::semantic) const GERMAN_NUMBERS: &str = "zwei drei vier funf sechs sieben acht neun zehn elf zwolf";
pub(in crate::semantic) const SPANISH_NUMBERS: &str = "dos tres cuatro cinco seis siete ocho nueve diez once doce";
pub(in crate::semantic) const FRENCH_NUMBERS: &str = "deux trois quatre cinq six sept huit neuf dix onze douze";
pub(in crate::semantic) const RUSSIAN_NUMBERS: &str =
    "два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать";

/// The same from thirteen.
pub(in crate::semantic) const TEENS: [&str; 4] = [
    "dreizehn vierzehn funfzehn sechzehn siebzehn achtzehn neunzehn",
    "trece catorce quince dieciseis diecisiete dieciocho diecinueve",
    "treize quatorze quinze seize",
    "тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать",
];

/// The same in tens, from twenty.
pub(in crate::semantic) const TENS: [&str; 4] = [
    "zwanzig dreißig vierzig funfzig sechzig siebzig achtzig neunzig",
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "vingt trente quarante cinquante soixante",
    "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
];
