/**
 * The words of which listings are made: what a handmade marketplace sells, of which material, how made, in which style.
 *
 * A category has objects; an object has kinds ("salad" bowl), materials, a price range and sizes. A material family has
 * members and the techniques by which they are worked.
 */

interface MaterialFamily {
  /** As in titles. Most contain the family's word: readers know that walnut is wood, three-letter pieces do not. */
  readonly members: readonly string[];
  readonly techniques: readonly string[];
}

const family = (members: string, techniques: string): MaterialFamily => ({
  members: list(members),
  techniques: list(techniques),
});

/** `a, b c, d` as ['a', 'b c', 'd']. */
function list(text: string): string[] {
  return text.split(',').map((word) => word.trim());
}

export const MATERIALS = {
  wood: family(
    'walnut wood, oak wood, cherry wood, maple wood, olive wood, ash wood, teak wood, birch wood, beech wood, acacia wood, mango wood, pine wood',
    'hand-carved, hand-turned, live edge, reclaimed, hand-sanded, oiled, burl',
  ),
  clay: family(
    'stoneware ceramic, porcelain ceramic, terracotta clay, earthenware ceramic, speckled ceramic, raku ceramic, bone china',
    'wheel-thrown, hand-built, glazed, hand-painted, wood-fired, slip-cast, carved',
  ),
  metal: family(
    'brass metal, copper metal, cast iron metal, stainless steel metal, pewter metal, bronze metal, blackened steel metal',
    'hammered, forged, brushed, hand-spun, etched, riveted, patinated',
  ),
  precious: family(
    'sterling silver, 14k gold, gold filled, rose gold, oxidised silver, 18k gold vermeil, white gold',
    'hand-stamped, hammered, filigree, soldered, textured, polished, engraved',
  ),
  gemstone: family(
    'opal gemstone, moonstone gemstone, garnet gemstone, sapphire gemstone, turquoise gemstone, amethyst gemstone, labradorite gemstone, freshwater pearl, emerald gemstone, citrine gemstone',
    'wire-wrapped, beaded, bezel-set, faceted, raw, prong-set',
  ),
  cloth: family(
    'washed linen fabric, organic cotton fabric, raw silk fabric, velvet fabric, hemp fabric, denim fabric, flannel fabric, muslin fabric',
    'hand-sewn, block-printed, quilted, embroidered, naturally dyed, patchwork, hand-woven',
  ),
  yarn: family(
    'merino wool, alpaca wool, mohair wool, lambswool, cotton yarn, cashmere wool, bamboo yarn',
    'hand-knitted, crocheted, cable knit, felted, hand-dyed, chunky knit',
  ),
  leather: family(
    'full grain leather, suede leather, vegetable tanned leather, cork leather, waxed leather, vintage leather',
    'saddle-stitched, hand-tooled, hand-dyed, embossed, burnished, distressed',
  ),
  glass: family(
    'blown glass, stained glass, recycled glass, fused glass, sea glass, crystal glass',
    'mouth-blown, hand-cut, etched, swirled, leaded, frosted',
  ),
  paper: family(
    'washi paper, cotton rag paper, kraft paper, handmade paper, recycled paper, archival paper',
    'letterpress, hand-bound, screen-printed, marbled, foil-stamped, hand-lettered',
  ),
  stone: family(
    'carrara marble stone, soapstone, slate stone, onyx stone, travertine stone, granite stone',
    'hand-carved, honed, polished, chiselled, inlaid',
  ),
  wax: family('soy wax, beeswax, coconut wax, rapeseed wax', 'hand-poured, hand-dipped, scented, moulded, botanical'),
  fibre: family(
    'rattan fibre, jute fibre, seagrass fibre, willow wicker, macrame cotton, bamboo fibre',
    'hand-woven, braided, knotted, coiled, fringed',
  ),
} as const satisfies Record<string, MaterialFamily>;

export type MaterialName = keyof typeof MATERIALS;

export interface ObjectWords {
  readonly noun: string;
  readonly kinds: readonly string[];
  readonly materials: readonly MaterialName[];
  /** In whole units of currency. */
  readonly priceLow: number;
  readonly priceHigh: number;
}

const object = (
  noun: string,
  kinds: string,
  materials: readonly MaterialName[],
  priceLow: number,
  priceHigh: number,
): ObjectWords => ({ noun, kinds: list(kinds), materials, priceLow, priceHigh });

export interface CategoryWords {
  /** Relative number of listings. */
  readonly weight: number;
  readonly objects: readonly ObjectWords[];
  /** Possible ends of a title. */
  readonly details: readonly string[];
}

export const CATEGORIES: Readonly<Record<string, CategoryWords>> = {
  kitchen: {
    weight: 14,
    objects: [
      object(
        'bowl',
        'salad, fruit, serving, mixing, ramen, cereal, snack',
        ['wood', 'clay', 'metal', 'glass'],
        18,
        140,
      ),
      object('mug', 'coffee, travel, tea, espresso, camping, cocoa', ['clay', 'metal', 'glass'], 14, 58),
      object('cutting board', 'bread, cheese, charcuterie, butcher block, carving', ['wood', 'stone'], 25, 190),
      object('spoon', 'serving, soup, honey, coffee, cooking', ['wood', 'metal', 'precious'], 8, 60),
      object('plate', 'dinner, dessert, side, cake, tapas', ['clay', 'wood', 'glass'], 14, 85),
      object('teapot', 'loose leaf, kyusu, gongfu, family', ['clay', 'metal', 'glass'], 38, 180),
      object('apron', 'baking, barbecue, barista, pinafore', ['cloth', 'leather'], 22, 110),
      object('knife', 'chef, paring, bread, santoku, oyster', ['metal'], 45, 380),
      object('rolling pin', 'french, embossed, dowel, pastry', ['wood', 'stone'], 16, 65),
    ],
    details: list(
      'dishwasher safe, food safe finish, set of 2, set of 4, set of 6, housewarming gift, 20 cm, 24 cm, 30 cm, gift for cook, with lid',
    ),
  },
  jewelry: {
    weight: 20,
    objects: [
      object(
        'necklace',
        'layered, choker, pendant, statement, locket, bar',
        ['precious', 'gemstone', 'leather'],
        22,
        340,
      ),
      object('ring', 'engagement, stacking, signet, wedding, promise, midi', ['precious', 'gemstone', 'wood'], 18, 890),
      object(
        'earrings',
        'drop, stud, hoop, dangle, huggie, climber',
        ['precious', 'gemstone', 'clay', 'glass'],
        12,
        210,
      ),
      object(
        'bracelet',
        'charm, cuff, tennis, beaded, friendship, bangle',
        ['precious', 'gemstone', 'leather'],
        15,
        260,
      ),
      object('brooch', 'flower, bird, cameo, lapel, bee', ['precious', 'gemstone', 'glass'], 18, 160),
      object('anklet', 'beach, chain, boho, bead', ['precious', 'gemstone'], 12, 70),
      object('cufflinks', 'monogram, knot, map, square', ['precious', 'wood', 'metal'], 28, 190),
    ],
    details: list(
      'gift for her, gift for him, birthstone, hypoallergenic, adjustable, 45 cm chain, anniversary gift, bridesmaid gift, gift boxed, dainty, size 7, personalised initial',
    ),
  },
  lighting: {
    weight: 6,
    objects: [
      object('lamp', 'table, desk, floor, bedside, reading, arc', ['wood', 'metal', 'clay', 'glass'], 55, 480),
      object('pendant light', 'kitchen island, dome, cluster, globe', ['metal', 'glass', 'fibre', 'clay'], 65, 520),
      object('candle holder', 'taper, tealight, pillar, wall', ['metal', 'clay', 'wood', 'glass'], 14, 95),
      object('lampshade', 'drum, empire, cone, scalloped', ['cloth', 'fibre', 'paper'], 28, 150),
      object('wall sconce', 'hallway, swing arm, bathroom, picture', ['metal', 'glass', 'clay'], 60, 340),
      object('lantern', 'garden, hanging, hurricane, moroccan', ['metal', 'glass', 'paper'], 24, 160),
    ],
    details: list(
      'plug-in, dimmable, e27 socket, hardwired, bulb included, housewarming gift, set of 2, adjustable height, fabric cord',
    ),
  },
  furniture: {
    weight: 7,
    objects: [
      object('stool', 'bar, milking, step, piano, vanity', ['wood', 'metal', 'leather', 'fibre'], 75, 420),
      object('coffee table', 'round, nesting, waterfall, trunk', ['wood', 'metal', 'stone', 'glass'], 160, 1900),
      object('shelf', 'floating, corner, spice, book, ladder', ['wood', 'metal'], 35, 460),
      object('bench', 'entryway, dining, storage, window', ['wood', 'leather', 'metal'], 140, 980),
      object('chair', 'dining, rocking, lounge, accent, folding', ['wood', 'leather', 'fibre', 'metal'], 120, 1450),
      object('headboard', 'king size, queen size, panelled, slatted', ['wood', 'cloth', 'fibre'], 210, 1300),
      object('nightstand', 'two drawer, floating, mid height, cube', ['wood', 'metal', 'fibre'], 110, 760),
      object('coat rack', 'wall mounted, standing, peg, tree', ['wood', 'metal'], 40, 260),
    ],
    details: list(
      'made to order, custom size, solid, assembled, 120 cm, 45 cm tall, removable legs, space saving, handmade joinery',
    ),
  },
  'home decor': {
    weight: 13,
    objects: [
      object('vase', 'bud, floor, ikebana, dried flower, bubble', ['clay', 'glass', 'metal', 'wood', 'stone'], 18, 240),
      object('wall hanging', 'dreamcatcher, tapestry, nursery, garland', ['fibre', 'yarn', 'wood', 'cloth'], 24, 260),
      object('mirror', 'vanity, sunburst, arched, round, full length', ['wood', 'metal', 'fibre', 'glass'], 45, 520),
      object('candle', 'pillar, taper, container, birthday, massage', ['wax'], 9, 54),
      object('clock', 'wall, mantel, desk, kitchen, cuckoo', ['wood', 'metal', 'clay'], 32, 290),
      object('picture frame', 'gallery, shadow box, float, collage', ['wood', 'metal', 'leather'], 16, 140),
      object('basket', 'storage, laundry, bread, picnic, toy', ['fibre', 'cloth', 'metal'], 20, 150),
      object('figurine', 'owl, fox, elephant, buddha, bear', ['clay', 'wood', 'metal', 'glass', 'stone'], 12, 160),
      object(
        'coasters',
        'drink, geometric, agate slice, monogram',
        ['wood', 'stone', 'clay', 'leather', 'yarn'],
        12,
        58,
      ),
    ],
    details: list(
      'housewarming gift, set of 2, set of 4, 30 cm, 45 cm, nursery decor, wedding gift, ready to hang, entryway, one of a kind, lavender scent, custom engraving',
    ),
  },
  textiles: {
    weight: 9,
    objects: [
      object('throw blanket', 'weighted, baby, picnic, sofa, fringe', ['yarn', 'cloth'], 48, 320),
      object('pillow cover', 'lumbar, floor, bolster, euro sham', ['cloth', 'yarn', 'leather'], 16, 95),
      object('rug', 'runner, area, bath, prayer, kitchen', ['yarn', 'fibre', 'cloth'], 55, 980),
      object('quilt', 'baby, king size, lap, wedding ring', ['cloth'], 110, 920),
      object('tablecloth', 'round, holiday, picnic, scalloped', ['cloth'], 35, 190),
      object('napkins', 'dinner, cocktail, lunch, holiday', ['cloth'], 14, 75),
      object('curtains', 'blackout, cafe, sheer, shower', ['cloth', 'fibre'], 38, 260),
      object('tea towel', 'kitchen, calendar, waffle, striped', ['cloth'], 10, 42),
    ],
    details: list(
      'machine washable, 130 x 170 cm, 50 x 50 cm, set of 2, set of 4, housewarming gift, wedding gift, hidden zip, pre-washed, with tassels',
    ),
  },
  clothing: {
    weight: 12,
    objects: [
      object('scarf', 'infinity, bandana, blanket, winter, skinny', ['yarn', 'cloth'], 18, 190),
      object('dress', 'wrap, midi, wedding, summer, shirt', ['cloth'], 55, 480),
      object('sweater', 'turtleneck, fisherman, oversized, cropped', ['yarn'], 60, 380),
      object('hat', 'bucket, beanie, fedora, sun, beret', ['yarn', 'cloth', 'leather', 'fibre'], 18, 140),
      object('socks', 'house, hiking, baby, ankle', ['yarn'], 12, 48),
      object('jacket', 'chore, kimono, bomber, quilted', ['cloth', 'leather'], 75, 620),
      object('mittens', 'winter, fingerless, baby, driving', ['yarn', 'leather'], 18, 95),
      object('slippers', 'house, ballet, moccasin, baby', ['yarn', 'leather', 'cloth'], 22, 120),
      object('belt', 'waist, western, obi, braided', ['leather', 'cloth'], 24, 160),
    ],
    details: list(
      'one size, plus size, made to measure, unisex, gift for her, gift for him, with pockets, size M, size L, winter wear, festival wear',
    ),
  },
  bags: {
    weight: 8,
    objects: [
      object('tote bag', 'market, beach, laptop, book, work', ['cloth', 'leather', 'fibre'], 18, 260),
      object('backpack', 'school, rolltop, mini, hiking', ['leather', 'cloth'], 48, 420),
      object('wallet', 'bifold, card, travel, money clip', ['leather', 'cloth'], 18, 140),
      object('clutch', 'evening, wedding, envelope, wristlet', ['leather', 'cloth', 'fibre', 'gemstone'], 28, 220),
      object('crossbody bag', 'saddle, phone, camera, bucket', ['leather', 'cloth', 'fibre'], 38, 340),
      object('pouch', 'makeup, pencil, coin, tobacco, dice', ['cloth', 'leather', 'yarn'], 9, 65),
      object('duffel bag', 'weekender, gym, cabin, overnight', ['leather', 'cloth'], 70, 520),
    ],
    details: list(
      'with zipper, with inner pocket, monogrammed, gift for him, gift for her, groomsmen gift, fits a5, 15 inch laptop, brass hardware, lined',
    ),
  },
  toys: {
    weight: 6,
    objects: [
      object('puzzle', 'name, jigsaw, alphabet, map, animal', ['wood', 'paper'], 16, 85),
      object('doll', 'waldorf, rag, peg, memory, fairy', ['cloth', 'wood', 'yarn'], 18, 160),
      object('teddy bear', 'memory, jointed, mini, keepsake', ['yarn', 'cloth'], 20, 140),
      object('train set', 'name, magnetic, freight, steam', ['wood', 'metal'], 28, 190),
      object('baby rattle', 'teething, ring, bunny, montessori', ['wood', 'yarn', 'precious'], 12, 60),
      object('building blocks', 'rainbow, castle, alphabet, stacking', ['wood'], 22, 120),
      object('chess set', 'travel, tournament, medieval, magnetic', ['wood', 'metal', 'stone'], 45, 620),
      object('kite', 'delta, dragon, box, stunt', ['cloth', 'paper'], 14, 75),
    ],
    details: list(
      'ages 3 and up, first birthday, baby shower gift, personalised name, non-toxic paint, heirloom, montessori, gift for kids',
    ),
  },
  art: {
    weight: 8,
    objects: [
      object('print', 'botanical, city map, abstract, animal, movie', ['paper', 'cloth'], 9, 120),
      object('painting', 'landscape, portrait, abstract, seascape, still life', ['cloth', 'paper', 'wood'], 45, 1600),
      object(
        'sculpture',
        'abstract, bust, animal, garden, kinetic',
        ['clay', 'metal', 'wood', 'stone', 'glass'],
        60,
        1800,
      ),
      object('poster', 'travel, concert, kitchen, astronomy', ['paper'], 12, 65),
      object('collage', 'surreal, floral, family, vintage', ['paper', 'cloth'], 25, 280),
      object('mosaic', 'mirror, tile, sun, fish', ['glass', 'stone', 'clay'], 55, 640),
    ],
    details: list(
      'a4, a3, 50 x 70 cm, signed, limited edition, unframed, framed, ready to hang, gallery wall, custom portrait, original',
    ),
  },
  stationery: {
    weight: 6,
    objects: [
      object('notebook', 'travel, dotted, lined, recipe, sketch', ['paper', 'leather', 'cloth'], 10, 75),
      object('greeting card', 'birthday, thank you, wedding, sympathy', ['paper'], 4, 12),
      object('wedding invitation', 'rustic, save the date, botanical, arch', ['paper'], 3, 18),
      object('planner', 'weekly, wedding, daily, undated', ['paper', 'leather'], 18, 85),
      object('pen', 'fountain, rollerball, calligraphy, dip', ['wood', 'metal', 'glass'], 18, 190),
      object('bookmark', 'magnetic, ribbon, corner, tassel', ['leather', 'metal', 'paper', 'cloth'], 4, 28),
      object('photo album', 'wedding, baby, travel, guest book', ['leather', 'cloth', 'paper'], 28, 160),
      object('rubber stamp', 'address, logo, wax seal, date', ['wood', 'metal'], 12, 68),
    ],
    details: list(
      'a5, a6, refillable, set of 10, with envelope, gift for writer, teacher gift, monogrammed, 200 pages, lay flat',
    ),
  },
  garden: {
    weight: 5,
    objects: [
      object(
        'planter',
        'hanging, self watering, window, succulent, bonsai',
        ['clay', 'wood', 'metal', 'fibre'],
        14,
        180,
      ),
      object('birdhouse', 'wren, bluebird, owl, cottage', ['wood', 'clay', 'metal'], 22, 120),
      object('wind chime', 'memorial, tubular, shell, bell', ['metal', 'wood', 'glass', 'clay'], 18, 130),
      object('plant stand', 'tiered, corner, mid height, tripod', ['wood', 'metal', 'fibre'], 28, 190),
      object('garden sign', 'herb, welcome, memorial, vegetable', ['wood', 'metal', 'stone'], 12, 90),
      object(
        'bird feeder',
        'window, hanging, hummingbird, squirrel proof',
        ['wood', 'glass', 'metal', 'clay'],
        18,
        110,
      ),
      object('fire pit', 'folding, bowl, smokeless, table', ['metal', 'stone'], 110, 980),
    ],
    details: list(
      'with drainage, weatherproof, gift for gardener, outdoor, indoor, set of 3, memorial gift, 25 cm, with saucer',
    ),
  },
  pets: {
    weight: 5,
    objects: [
      object('dog collar', 'martingale, buckle, tag, show', ['leather', 'cloth', 'metal'], 12, 90),
      object('cat bed', 'cave, hammock, window, donut', ['yarn', 'fibre', 'cloth'], 28, 160),
      object('pet tag', 'name, bone, qr, round', ['metal', 'wood', 'precious'], 8, 38),
      object('dog leash', 'training, hands free, rope, short', ['leather', 'cloth'], 16, 95),
      object('pet urn', 'keepsake, photo, paw, box', ['wood', 'clay', 'metal'], 30, 220),
      object('feeding station', 'raised, double bowl, slow, corner', ['wood', 'metal', 'clay'], 35, 190),
    ],
    details: list(
      'personalised name, small breed, large breed, engraved, gift for dog mom, gift for cat lover, waterproof, size S, size L',
    ),
  },
};

export const COLOURS = list(
  'forest green, sage green, emerald green, navy blue, sky blue, cobalt blue, indigo blue, teal, turquoise, mustard yellow, lemon yellow, burnt orange, terracotta orange, coral pink, blush pink, dusty rose, burgundy red, cherry red, rust red, lavender purple, plum purple, charcoal grey, dove grey, matte black, jet black, ivory white, snow white, cream, sand beige, oatmeal, chocolate brown, honey amber, natural, multicolour, silver grey, olive green',
);

export const STYLES = list(
  'scandinavian, mid-century modern, boho, rustic, farmhouse, minimalist, art deco, victorian, industrial, japandi, vintage, cottagecore, gothic, coastal, retro, bohemian, folk art, wabi sabi, art nouveau, nordic, tribal, celtic, mexican, moroccan, french country, steampunk, brutalist, whimsical',
);

/** What sellers write around a title; it says nothing about the object. */
export const SHOUTS = list(
  'SALE, NEW!, *bestseller*, LAST ONE, handmade, free shipping, ready to ship, gift idea, eco-friendly, ships today',
);
