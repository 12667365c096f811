"""British and American spellings, and misspellings: words whose right form needs no context.

A pair is here only if both sides mean the same wherever they stand: "licence" (a verb, a noun),
"programme", "tyre", "storey" or "cheque" (the American form is another word too) are not.
"""

from typing import Final


def _listed(text: str) -> list[str]:
    return text.split()


_ISE_STEMS: Final = _listed(
    """
    actual agon american anonym apolog author capital categor central character civil colon
    commercial computer critic crystall custom decentral demon digit dramat econom emphas energ
    equal external familiar fertil final formal general global harmon hospital ideal immun
    individual industrial initial internal item jeopard legal local magnet material maxim mechan
    memor minim mobil modern monopol moral national natural neutral normal optim organ oxid
    parameter patron penal personal plural polar popular pressur prior private random rational
    real recogn reorgan revital revolution romantic scrutin serial social special stabil
    standard steril subsid summar symbol synchron synthes tantal theor token traumat trivial
    urban util vandal vapor verbal victim visual vital
    """
)

_DOUBLED_STEMS: Final = _listed(
    """
    cancel counsel dial duel equal fuel label level marshal model panel pedal quarrel shovel
    signal snorkel spiral swivel total travel tunnel unravel
    """
)

_OUR_STEMS: Final = {
    "arbour": "s", "armour": "s ed", "behaviour": "s al", "candour": "", "clamour": "s ed ing",
    "colour": "s ed ing ful less", "demeanour": "s", "endeavour": "s ed ing",
    "favour": "s ed ing able ably ite ites", "fervour": "", "flavour": "s ed ing ful",
    "harbour": "s ed ing", "honour": "s ed ing able", "humour": "", "labour": "s ed ing er ers",
    "neighbour": "s ing hood hoods ly", "odour": "s less", "parlour": "s", "rancour": "",
    "rigour": "s", "rumour": "s ed", "saviour": "s", "savour": "s ed ing y", "splendour": "s",
    "tumour": "s", "valour": "", "vapour": "s", "vigour": "",
}  # fmt: skip

_SINGLE: Final = _listed(
    """
    aeroplane:airplane aeroplanes:airplanes aluminium:aluminum anaemia:anemia anaemic:anemic
    anaesthesia:anesthesia anaesthetic:anesthetic analyse:analyze analysed:analyzed
    analysing:analyzing artefact:artifact artefacts:artifacts calibre:caliber catalogue:catalog
    catalogues:catalogs catalyse:catalyze centimetre:centimeter centimetres:centimeters
    centre:center centred:centered centres:centers cosy:cozy defence:defense diarrhoea:diarrhea
    enrol:enroll enrolment:enrollment fibre:fiber fibres:fibers foetus:fetus fulfil:fulfill
    fulfilment:fulfillment grey:gray greyish:grayish haemoglobin:hemoglobin
    instalment:installment jewellery:jewelry kilometre:kilometer kilometres:kilometers
    leukaemia:leukemia litre:liter litres:liters manoeuvre:maneuver manoeuvres:maneuvers
    marvellous:marvelous meagre:meager millimetre:millimeter millimetres:millimeters mould:mold
    mouldy:moldy moustache:mustache oestrogen:estrogen offence:offense offences:offenses
    orthopaedic:orthopedic paediatric:pediatric paediatrician:pediatrician paralyse:paralyze
    paralysed:paralyzed plough:plow pretence:pretense pyjamas:pajamas sabre:saber
    sceptic:skeptic sceptical:skeptical scepticism:skepticism skilful:skillful sombre:somber
    spectre:specter theatre:theater theatres:theaters wilful:willful woollen:woolen woolly:wooly
    """
)


def _pairs() -> dict[str, str]:
    pairs = dict(word.split(":") for word in _SINGLE)
    for stem in _ISE_STEMS:
        pairs |= {f"{stem}is{end}": f"{stem}iz{end}" for end in ("e", "es", "ed", "ing", "ation")}
    for stem in _DOUBLED_STEMS:
        pairs |= {f"{stem}l{end}": f"{stem}{end}" for end in ("ed", "ing")}
    pairs |= {"traveller": "traveler", "travellers": "travelers", "counsellor": "counselor"}
    for british, ends in _OUR_STEMS.items():
        american = british.removesuffix("our") + "or"
        pairs |= {british + end: american + end for end in ("", *ends.split())}
    return pairs


BRITISH_TO_AMERICAN: Final = _pairs()
"""British spelling to American, in lower case, one to one."""

AMERICAN_TO_BRITISH: Final = {american: british for british, american in _pairs().items()}

MISSPELLINGS: Final = dict(
    pair.split(":")
    for pair in _listed(
        """
    absense:absence accomodate:accommodate accomodation:accommodation acheive:achieve
    acheived:achieved accross:across adress:address agian:again amature:amateur
    apparant:apparent arguement:argument assasin:assassin basicly:basically becuase:because
    beacuse:because becomming:becoming begining:beginning beleive:believe beleived:believed
    belive:believe benificial:beneficial buisness:business calender:calendar catagory:category
    cemetary:cemetery changable:changeable cheif:chief collegue:colleague comming:coming
    commited:committed completly:completely concious:conscious consistant:consistent
    critisism:criticism definately:definitely definatly:definitely desparate:desperate
    develope:develop developement:development diffrent:different dissapear:disappear
    dissapoint:disappoint ecstacy:ecstasy embarass:embarrass enviroment:environment
    existance:existence experiance:experience familar:familiar finaly:finally foriegn:foreign
    fourty:forty freind:friend freinds:friends goverment:government grammer:grammar gaurd:guard
    happend:happened harrass:harass heigth:height hte:the immediatly:immediately
    independant:independent intrest:interest interupt:interrupt irrelevent:irrelevant
    knowlege:knowledge lenght:length liason:liaison libary:library maintainance:maintenance
    millenium:millennium mispell:misspell necesary:necessary neccessary:necessary
    noticable:noticeable occassion:occasion occassionally:occasionally occured:occurred
    occurence:occurrence occuring:occurring parliment:parliament peice:piece peices:pieces
    percieve:perceive persistant:persistent personel:personnel posession:possession
    possable:possible prefered:preferred privelege:privilege probaly:probably
    proffesional:professional publically:publicly recieve:receive recieved:received
    recieves:receives recomend:recommend recomended:recommended refered:referred
    relevent:relevant religous:religious remeber:remember repitition:repetition
    responsability:responsibility restaraunt:restaurant rythm:rhythm seperate:separate
    seperated:separated seperately:separately seige:siege similiar:similar sincerly:sincerely
    speach:speech stategy:strategy succesful:successful successfull:successful suprise:surprise
    suprised:surprised teh:the tendancy:tendency thier:their tommorow:tomorrow
    tommorrow:tomorrow tounge:tongue truely:truly untill:until unforseen:unforeseen
    usualy:usually vaccum:vacuum wich:which wierd:weird writting:writing
    """
    )
)
"""Misspelt words that are no words of their own, and their right spelling."""
