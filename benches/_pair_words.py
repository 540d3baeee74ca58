"""Names of persons, places, companies and things that changed questions are made of.

Whatever the guards' own lists name is dropped when pairs are made, so that a guard is tried on names that it was not
given. Therefore the rarer ones are here too.
"""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    """Return the entries of a list that is written with white space between them; `_` stands for a space."""
    return tuple(word.replace("_", " ") for word in text.split())


def lines(text: str) -> tuple[str, ...]:
    """Return the lines of a list, without white space around them and without empty ones."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


FIRST_NAMES = words("""
    Aaliyah Abelard Adaeze Agnieszka Aino Akira Alasdair Alejandra Aleksander Alma Amadou Anahit Anders Aneta Anil
    Annika Anselm Apolline Arash Aroha Arturo Astrid Asuka Aurelio Aveline Ayodele Babette Baltasar Bao Barnaby Bartosz
    Beatriz Bettina Bilal Birgit Bjarne Blanka Bogdan Branimir Brigid Calixto Camilla Caoimhe Casimir Ceferino Celeste
    Chidi Chiyo Clemency Conall Cosima Cressida Cyprian Dagmar Damaris Danuta Darragh Deepika Delphine Desta Dilara
    Dimitra Dinesh Dorothea Drazen Ebele Edda Edmund Eilidh Elif Eluned Emeka Enzo Erasmus Ernestine Esra Eun Evander
    Fabienne Farida Fatou Feliks Fenella Fernanda Fiorella Folasade Fritjof Gaspard Gennaro Georgina Gerda Ghassan
    Giovanna Goran Gretchen Gudrun Gustavo Gwendolyn Habib Hadiza Hakon Hamish Hana Hedwig Heloise Henrik Hiroshi
    Honorata Hortense Ibrahima Idris Ignatius Ilse Imogen Inaya Ingrid Ioana Isaura Ishaan Iwona Jacinta Jadwiga Jarek
    Javier Jelena Jens Joaquim Jorunn Jyoti Kaito Kalinda Karim Kasia Katarzyna Kazuo Keiko Kenji Kerstin Khadija Kiran
    Klaus Kofi Kwame Lachlan Lakshmi Larisa Lars Laszlo Leocadia Leopold Lieselotte Linnea Ludmila Lysander Maarten
    Magdalena Maeve Mahmoud Malgorzata Mandla Marcelo Margarethe Marisol Marta Matteo Mehmet Mercedes Milos Mireille
    Mungo Nadezhda Nasrin Nikolai Nkechi Noor Oksana Olumide Orla Oskar Otto Paloma Parvati Pascal Perpetua Petra Piers
    Prakash Quentin Radek Rafaela Ragnhild Rainer Ravi Renata Rohan Rosalind Rurik Sabine Sakura Salome Sanjay Saoirse
    Sefa Siddharth Sigrid Sinead Siobhan Soledad Stanislav Sunniva Svetlana Tadeusz Takumi Tamsin Tariq Tatjana Thandiwe
    Thijs Tomasz Torsten Ulrike Umberto Valentina Vasilis Vigdis Vikram Waltraud Wei Wendeline Winifred Xanthe Xiomara
    Yael Yannick Yasmin Yevgenia Yuki Yusuf Zainab Zbigniew Zeynep Zofia
""")

LAST_NAMES = words("""
    Abernathy Achterberg Adeyemi Aguilar Albrecht Almeida Andersson Arslan Asante Bakker Balogun Bancroft Bannerjee
    Barclay-Hume Bergstrom Bianchi Blackwood Bocelli Brandt Brzezinski Calloway Carmichael Castellanos Cavendish
    Chatterjee Chukwu Cieslak Colquhoun Dalgaard Danjuma Delacroix Demir Desrosiers Dlamini Drummond Dubois Echeverria
    Eklund Engel Fairweather Farrokhzad Ferreira Fitzgerald Fontaine Forsythe Fujimoto Gallagher Garibaldi Goldschmidt
    Grabowski Gundersen Haddad Halvorsen Hashimoto Heffernan Hernandez Hinterland Hollingsworth Horvath Ibarra Iglesias
    Ivanova Jankowski Johansen Kaczmarek Kapoor Karlsson Kavanagh Keller Kjeldsen Kowalczyk Kristoffersen Kumar
    Lagerfeld Lindqvist Lombardi MacAllister Mahlangu Marchetti Martinez Mbeki McCormack Mendoza Mikkelsen Moreau
    Mukherjee Nakagawa Navarro Nguyen Novak Nyström Obiora Okafor Okonkwo Olafsson Ortega Osei Papadopoulos Pellegrino
    Penhaligon Petrov Pemberton Quigley Radcliffe Ramaswamy Rasmussen Ribeiro Richter Rosenthal Ruiz Saarinen Sandoval
    Schneider Sepulveda Shevchenko Silveira Solberg Srinivasan Stavros Strickland Szymanski Takahashi Tanaka Thorvaldsen
    Tikhonov Toussaint Underhill Vandenberg Vasquez Vesterinen Villanueva Wadsworth Wallenstein Weatherby Whitlock
    Wiśniewski Yamamoto Yilmaz Zamora Zielinski Zimmermann
""")

CITIES = words("""
    Aarhus Aberdeen Accra Adelaide Almaty Ankara Antwerp Arequipa Asheville Asmara Asuncion Baku Bamako Bangalore Basel
    Belgrade Bergen Bilbao Birmingham Bogota Bologna Boulder Bratislava Bremen Bristol Brno Brussels Bucharest Budapest
    Bydgoszcz Caen Calgary Cardiff Cartagena Casablanca Catania Chennai Chiang_Mai Chisinau Cincinnati Cluj Colombo
    Conakry Copenhagen Cordoba Cork Curitiba Cusco Dakar Dalian Darwin Davao Debrecen Djibouti Dortmund Dresden
    Dubrovnik Durban Dushanbe Edinburgh Edmonton Eindhoven Erfurt Esbjerg Essen Fairbanks Faro Fez Florence Fortaleza
    Freetown Fukuoka Gaborone Galway Gdansk Genoa Ghent Gothenburg Granada Graz Grenoble Guadalajara Guayaquil Haifa
    Hamburg Hanoi Harare Hobart Huddersfield Ibadan Innsbruck Ipswich Isfahan Izmir Jaipur Jakarta Jeddah Kampala
    Kaohsiung Karachi Katowice Kaunas Khartoum Kigali Kingston Kinshasa Kobe Krakow Kumasi Kyoto Lagos Lahore Lausanne
    Leeds Leipzig Leon Libreville Lille Lilongwe Lima Limassol Linz Ljubljana Lodz Lomé Luanda Lucknow Lusaka Lyon
    Maastricht Malaga Malmo Managua Manaus Manila Maputo Maribor Marrakesh Maseru Medellin Mendoza Merida Minsk Mombasa
    Monrovia Montevideo Mosul Muscat Mykolaiv Nairobi Nantes Naples Narvik Nashville Niamey Nicosia Novosibirsk
    Nuremberg Odense Osaka Oslo Ostrava Ouagadougou Oulu Palermo Pamplona Paramaribo Perth Phnom_Penh Plovdiv Podgorica
    Poitiers Porto Poznan Pristina Quebec Quito Rabat Ravenna Recife Regina Reykjavik Riga Rijeka Rosario Rotterdam
    Rouen Salzburg Samarkand San_Salvador Santander Sapporo Sarajevo Sendai Seville Sheffield Shenzhen Skopje Sofia
    Split Spokane Stavanger Strasbourg Stuttgart Sucre Surabaya Szczecin Tabriz Tallinn Tampere Tartu Tashkent Tbilisi
    Thessaloniki Timisoara Tirana Toledo Toulouse Trieste Trondheim Tunis Turin Turku Ulaanbaatar Utrecht Vaduz Valencia
    Valparaiso Varna Verona Vientiane Vilnius Wellington Windhoek Wroclaw Yangon Yerevan Zagreb Zaragoza Zurich
""")

COUNTRIES = words("""
    Albania Algeria Andorra Angola Armenia Azerbaijan Bahrain Bangladesh Barbados Belarus Belize Benin Bhutan Bolivia
    Botswana Brunei Bulgaria Burundi Cambodia Cameroon Chad Chile Colombia Croatia Cyprus Dominica Ecuador Eritrea
    Estonia Eswatini Ethiopia Fiji Finland Gabon Georgia Ghana Grenada Guatemala Guinea Guyana Haiti Honduras Hungary
    Iceland Indonesia Jamaica Jordan Kazakhstan Kenya Kosovo Kuwait Kyrgyzstan Laos Latvia Lebanon Lesotho Liberia
    Liechtenstein Lithuania Luxembourg Madagascar Malawi Malaysia Mali Malta Mauritania Mauritius Moldova Monaco
    Mongolia Montenegro Morocco Mozambique Namibia Nepal Nicaragua Niger Oman Panama Paraguay Peru Qatar Romania Rwanda
    Samoa Senegal Serbia Seychelles Slovakia Slovenia Somalia Sudan Suriname Tajikistan Tanzania Togo Tonga Tunisia
    Turkmenistan Uganda Uruguay Uzbekistan Vanuatu Vietnam Yemen Zambia Zimbabwe
""")

COMPANIES = words("""
    Aldi Allianz Alstom Asda Asos Aviva Barclays Bayer Boohoo Bosch Bunq Carrefour Coop Currys Danone Decathlon Deezer
    Deliveroo Denon Dyson Edeka EasyJet Emirates Ericsson Etihad Etsy Europcar Evri FlixBus Finnair Fnac Garmin
    Getaround Glovo Gousto Grab Halfords HelloFresh Hermes Hertz Homebase Iceland_Foods Ikea Kayak Klarna KLM Kroger
    Lego Lidl Lufthansa Lush Maersk Mango Matalan Megabus Migros Monzo Morrisons N26 Nationwide Nestle Nextbike Nokia
    Ocado Octopus Orange Penguin Philips Primark Qantas Rabobank Renault Revolut Rewe Rimowa Ryanair Sainsburys
    Santander Scania Screwfix Sephora Sixt Skoda Sodexo Sonos Spar Starling Stripe Superdrug Swatch Telenor Tesco Thalys
    Topshop Trainline Triodos TUI Uniqlo Vattenfall Vinted Vodafone Volvo Waitrose Wickes Wise Wizz_Air Yamaha Zalando
    Zara Zurich_Re
""")

#: Things that somebody may hold or ask about, a kind a line: a question about one is not about another of its kind.
PRODUCTS = (
    words("Kindle Kobo Nook"),
    words("iPad Surface Chromebook MacBook ThinkPad"),
    words("Peloton Bowflex Concept2 NordicTrack"),
    words("Fitbit Polar Suunto Withings"),
    words("Roomba Braava Deebot Roborock"),
    words("Thermomix KitchenAid Kenwood Ankarsrum"),
    words("Corolla Civic Octavia Golf Astra Fiesta"),
    words("Photoshop Lightroom Affinity GIMP Krita"),
    words("Quicken Xero QuickBooks FreshBooks Sage"),
    words("Slack Teams Zoom Webex Discord"),
    words("Dropbox OneDrive Nextcloud Box"),
    words("Switch PlayStation Xbox SteamDeck"),
    words("ibuprofen paracetamol aspirin naproxen"),
    words("amoxicillin doxycycline azithromycin penicillin"),
    words("Ubuntu Fedora Debian Windows macOS"),
    words("Jetta Passat Tiguan Polo"),
    words("Bitcoin Ethereum Litecoin Monero Dogecoin"),
    words("Nespresso Senseo Dolce_Gusto Tassimo"),
    words("Brompton Dahon Tern Strida"),
    words("Telecaster Stratocaster Les_Paul Rickenbacker"),
)

CURRENCIES = words("""
    dirhams dinars forints francs koruna kroner kronor kwacha lari lei lekë lira naira pesos rand reais renminbi ringgit
    riyals roubles rupees rupiah shekels shillings soles taka tenge won yen zloty hryvnia baht dong
""")

LANGUAGES = words("""
    Albanian Amharic Arabic Armenian Basque Bengali Bulgarian Catalan Croatian Czech Danish Dutch Estonian Farsi Finnish
    Gaelic Georgian Greek Gujarati Hausa Hebrew Hindi Hungarian Icelandic Igbo Korean Latvian Lithuanian Malay Maltese
    Mandarin Marathi Norwegian Polish Portuguese Punjabi Romanian Serbian Slovak Slovene Swahili Swedish Tagalog Tamil
    Thai Turkish Ukrainian Urdu Welsh Yoruba Zulu
""")

#: Roles of which one acts on the other: nobody would take one for the other.
PEOPLE = words("""
    landlord tenant plumber dentist accountant lawyer neighbour sister brother uncle aunt cousin manager colleague
    nephew niece grandmother grandfather electrician carpenter gardener teacher tutor coach editor publisher surgeon
    nurse pharmacist broker auditor florist baker butcher courier driver mechanic painter roofer stepfather roommate
""")

#: Places that people ask about most; they are looked for in questions, besides those above.
COMMON_PLACES = words("""
    London Paris Chicago Dallas Denver Miami Boston Houston Seattle Phoenix Atlanta Detroit Rome Madrid Barcelona Berlin
    Munich Tokyo Sydney Melbourne Toronto Vancouver Dublin Glasgow Manchester Cairo Istanbul Beijing Shanghai Mumbai
    Delhi Dubai Athens Vienna Prague Warsaw Moscow Austin Orlando Portland France Mexico China Spain Germany Japan Italy
    Russia India Canada Brazil Ireland Thailand Greece Egypt Turkey Portugal Sweden Norway Poland Australia Argentina
    Israel Korea
""")
