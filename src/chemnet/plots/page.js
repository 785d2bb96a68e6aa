"use strict"
// The points of an embedding by WebGL, and what a reader does with them. The functions stand in the order of their use.
;(async () => {
const meta = JSON.parse(document.getElementById("meta").textContent)
const count = meta.points
const part = (id) => document.getElementById(id)
const REACH = 10 // px around the pointer in which a point is meant
const HINT = 23 // px at the lower edge that the words there take
const HIDDEN = -1
const ACCENT = "#d55e00"
const NEAREST = 6 // known states that are listed beside a selected one

function say(text) {
  part("wait").textContent = text
  part("wait").hidden = false
}

// ---- columns: packed by Python, unpacked when they are first needed; a server sends them as they are

async function unpacked(id) {
  if (meta.served) {
    const answer = await fetch("block/" + id).catch(() => null)
    if (answer && answer.ok) return answer.arrayBuffer()
    say("The server of this page has ended: start chemnet visualize --serve again.")
    throw new Error("no answer for " + id)
  }
  const element = part(id)
  const packed = await fetch("data:application/octet-stream;base64," + element.textContent)
  const buffer = await new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer()
  element.remove()
  return buffer
}

// species come as differences of log10 in hundredths of a dex, latents as differences of whole steps; sums wrap
function summed(differences) {
  const values = new differences.constructor(differences.length)
  let sum = 0
  for (let i = 0; i < values.length; i++) {
    sum += differences[i]
    values[i] = sum
  }
  return values
}

const columns = new Map(meta.columns.map((column) => [column.name, column]))
const held = new Map()
function valuesOf(column) {
  if (!held.has(column.id)) {
    held.set(column.id, column.categories ? Promise.resolve(layerOf) : unpacked(column.id).then((buffer) =>
      column.species ? summed(new Int16Array(buffer)) : column.whole ? new Uint32Array(buffer) : new Float32Array(buffer)))
  }
  return held.get(column.id)
}

// a column's value as people read it: one notation for all
const natural = (column, value) => !column.species ? value : value === meta.missing ? NaN : 10 ** (value / 100)
const words = (column, value) => column.categories ? column.categories[value]
  : column.species ? toldAbundance(value) : told(natural(column, value))
// abundances are kept to a hundredth of a dex, which two digits stand for
const toldAbundance = (value) =>
  value === meta.missing ? "unknown" : value <= meta.floor ? "≤ " + told(10 ** (meta.floor / 100), 2) : told(10 ** (value / 100), 2)
function told(value, digits = 4) {
  if (!Number.isFinite(value)) return "unknown"
  const size = Math.abs(value)
  if (size === 0 || (size >= 1e-2 && size < 1e5)) return String(Number(value.toPrecision(digits)))
  const [factor, power] = value.toExponential(digits - 1).split("e")
  return `${Number(factor)}×10` + String(Number(power)).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)])
}
// as programs read it: all that the page knows, and nothing where it knows nothing
function exact(column, value) {
  if (column.categories) return column.categories[value]
  const known = natural(column, value)
  return Number.isFinite(known) ? String(Number(known.toPrecision(column.species ? 3 : 7))) : ""
}

// ---- what is shown: places, shades (0 to 1 along the colours, HIDDEN where filtered out), and the view

const places = new Float32Array(await unpacked("place"))
const tracerOf = new Uint32Array(await unpacked("tracer"))
const stepOf = new Uint32Array(await unpacked("step"))
const vertices = new Float32Array(await unpacked("vertex"))
const layerOf = meta.layers.length > 1 ? new Uint8Array(await unpacked("layer")) : null
const unseen = new Set() // results that the legend hides
const solid = meta.dimensions === 3
const shades = new Float32Array(count)
const filters = new Map()
let colour = meta.columns[0]
let followed = columns.get("CO") // the species whose history the card shows
let chosen = -1
let hovered = -1
let selected = []
let lasso = null

const stage = part("stage")
const drawing = part("drawing")
const pen = drawing.getContext("2d")
const view = { turn: [1, 0, 0, 0, 1, 0, 0, 0, 1], pan: [0, 0], scale: 1, wide: 1, high: 1 }

// px per unit of the map at which all of it is seen
function wholeScale() {
  const [wide, high] = solid ? [2 * meta.radius, 2 * meta.radius] : meta.extent
  return 0.92 * Math.min(view.wide / wide, (view.high - 2 * HINT) / high)
}

function wholeView() {
  view.turn = solid ? turned(turned([1, 0, 0, 0, 1, 0, 0, 0, 1], 0.6, 1), -0.5, 0) : [1, 0, 0, 0, 1, 0, 0, 0, 1]
  view.pan = [0, 0]
  view.scale = wholeScale()
  draw()
}

function turned(matrix, angle, axis) {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  const by = axis === 1 ? [c, 0, s, 0, 1, 0, -s, 0, c] : [1, 0, 0, 0, c, -s, 0, s, c]
  const product = []
  for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) {
    product.push(by[3 * i] * matrix[j] + by[3 * i + 1] * matrix[3 + j] + by[3 * i + 2] * matrix[6 + j])
  }
  return product
}

// where a point of some places stands on the screen [px], and how far in front; into `spot`, which is used again
const [cx, cy, cz] = meta.centre
function onScreen(from, i, spot = [0, 0, 0]) {
  const x = from[3 * i] - cx, y = from[3 * i + 1] - cy, z = from[3 * i + 2] - cz
  const t = view.turn
  spot[0] = view.wide / 2 + (t[0] * x + t[1] * y + t[2] * z - view.pan[0]) * view.scale
  spot[1] = view.high / 2 - (t[3] * x + t[4] * y + t[5] * z - view.pan[1]) * view.scale
  spot[2] = t[6] * x + t[7] * y + t[8] * z
  return spot
}

// ---- WebGL

const gl = part("points").getContext("webgl", { alpha: false, antialias: false, preserveDrawingBuffer: true })
if (!gl) {
  say("This browser shows no WebGL, which the points need.")
  return
}
const VERTEX = `attribute vec3 place; attribute float shade; uniform mat3 turn; uniform vec3 centre; uniform vec2 pan;
uniform vec2 scale; uniform float depth; uniform float size; varying float tint;
void main() {
  vec3 r = turn * (place - centre);
  gl_Position = shade < 0.0 ? vec4(2.0, 2.0, 2.0, 1.0) : vec4((r.xy - pan) * scale, -r.z * depth, 1.0);
  gl_PointSize = size;
  tint = shade;
}`
const FRAGMENT = `precision highp float; uniform sampler2D ramp; uniform float alpha; uniform float size; varying float tint;
void main() {
  vec2 q = gl_PointCoord - 0.5;
  if (size > 2.5 && dot(q, q) > 0.25) discard;
  gl_FragColor = vec4(texture2D(ramp, vec2(tint, 0.5)).rgb, alpha);
}`
const program = gl.createProgram()
for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
  const shader = gl.createShader(kind)
  gl.shaderSource(shader, source)
  gl.compileShader(shader)
  gl.attachShader(program, shader)
}
gl.linkProgram(program)
if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program))
gl.useProgram(program)
const uniform = (name) => gl.getUniformLocation(program, name)
function attribute(name, size, values, usage) {
  const buffer = gl.createBuffer()
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer)
  gl.bufferData(gl.ARRAY_BUFFER, values, usage)
  const place = gl.getAttribLocation(program, name)
  gl.enableVertexAttribArray(place)
  gl.vertexAttribPointer(place, size, gl.FLOAT, false, 0, 0)
  return buffer
}
attribute("place", 3, places, gl.STATIC_DRAW)
const shadeBuffer = attribute("shade", 1, shades, gl.DYNAMIC_DRAW)
gl.bindTexture(gl.TEXTURE_2D, gl.createTexture())
gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1)
setRamp(colour.categories)
for (const [what, how] of [[gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
  [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]]) gl.texParameteri(gl.TEXTURE_2D, what, how)
gl.clearColor(1, 1, 1, 1)
if (solid) gl.enable(gl.DEPTH_TEST)
else {
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA)
}

// the colours of values, or one for each of some categories
function setRamp(categories) {
  const colours = categories ? meta.ramp.map((_, i) => meta.palette[Math.floor(i * categories.length / 256)]) : meta.ramp
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, Uint8Array.from(colours.flat()))
}

let waiting = false
function draw() {
  if (waiting) return
  waiting = true
  requestAnimationFrame(() => {
    waiting = false
    drawPoints()
    drawOver()
  })
}

function drawPoints() {
  const ratio = window.devicePixelRatio || 1
  // fewer points, larger points; closer, larger too
  const size = ratio * Math.min(9, Math.max(1.5, 600 / Math.sqrt(count)) * Math.sqrt(Math.max(1, view.scale / view.first)))
  gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight)
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT)
  const t = view.turn
  gl.uniformMatrix3fv(uniform("turn"), false, [t[0], t[3], t[6], t[1], t[4], t[7], t[2], t[5], t[8]])
  gl.uniform3fv(uniform("centre"), meta.centre)
  gl.uniform2f(uniform("pan"), view.pan[0], view.pan[1])
  gl.uniform2f(uniform("scale"), 2 * view.scale / view.wide, 2 * view.scale / view.high)
  gl.uniform1f(uniform("depth"), 0.5 / meta.radius)
  gl.uniform1f(uniform("size"), size)
  gl.uniform1f(uniform("alpha"), solid || count < 5e4 ? 0.9 : 0.6)
  gl.drawArrays(gl.POINTS, 0, count)
}

function drawOver() {
  pen.clearRect(0, 0, view.wide, view.high)
  if (chosen >= 0) drawPath(tracerOf[chosen])
  for (const [i, size] of [[chosen, 7], [hovered, 6]]) {
    if (i >= 0) circle(onScreen(places, i), size, ACCENT, 2)
  }
  if (lasso) line(lasso, ACCENT, 1.5, true)
  const hint = solid ? "drag turns, shift and drag moves, scroll zooms" : "component 1 to the right, component 2 upwards; drag moves, scroll zooms"
  pen.font = "12px sans-serif"
  pen.fillStyle = "#ffffffd0"
  pen.fillRect(14, view.high - HINT, pen.measureText(hint).width + 8, 18)
  pen.fillStyle = "#57606a"
  pen.fillText(hint, 18, view.high - 10)
}

function pathOf(tracer) {
  const points = []
  for (let i = meta.offsets[tracer]; i < meta.offsets[tracer + 1]; i++) points.push(onScreen(vertices, i))
  return points
}

function drawPath(tracer) {
  const points = pathOf(tracer)
  if (!points.length) return
  line(points, ACCENT, 1.8, false)
  circle(points[0], 5, ACCENT, 2)
  const end = points[points.length - 1]
  pen.strokeRect(end[0] - 5, end[1] - 5, 10, 10)
}

function line(points, style, width, closed) {
  pen.strokeStyle = style
  pen.lineWidth = width
  pen.beginPath()
  points.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y))
  if (closed) pen.closePath()
  pen.stroke()
}

function circle([x, y], radius, style, width) {
  pen.strokeStyle = style
  pen.lineWidth = width
  pen.beginPath()
  pen.arc(x, y, radius, 0, 2 * Math.PI)
  pen.stroke()
}

// ---- colours and filters

const logarithm = (column, value) => column.logarithmic ? Math.log10(Math.max(value, column.least)) : value

// a column's value between 0 and 1 along the colours; what is not known is hidden
function shadeOf({ categories, species, low, high, ...rest }, value) {
  if (categories) return (value + 0.5) / categories.length
  if (species && value === meta.missing) return HIDDEN
  const shade = ((species ? value / 100 : logarithm(rest, value)) - low) / (high - low)
  return Number.isFinite(shade) ? Math.min(1, Math.max(0, shade)) : HIDDEN
}

async function recolour() {
  const values = await valuesOf(colour)
  for (let i = 0; i < count; i++) shades[i] = layerOf && unseen.has(layerOf[i]) ? HIDDEN : shadeOf(colour, values[i])
  for (const [name, [from, to]] of filters) {
    const column = columns.get(name)
    const other = await valuesOf(column)
    for (let i = 0; i < count; i++) {
      const value = natural(column, other[i])
      if (!(value >= from && value <= to)) shades[i] = HIDDEN
    }
  }
  gl.bindBuffer(gl.ARRAY_BUFFER, shadeBuffer)
  gl.bufferData(gl.ARRAY_BUFFER, shades, gl.DYNAMIC_DRAW)
  setRamp(colour.categories)
  for (const id of ["bar", "range"]) part(id).hidden = Boolean(colour.categories)
  if (!colour.categories) {
    const back = (value) => colour.species || colour.logarithmic ? 10 ** value : value
    part("low").textContent = "≤ " + told(back(colour.low), 3)
    part("high").textContent = "≥ " + told(back(colour.high), 3)
  }
  part("unit").textContent = colour.label
  const shown = shades.reduce((sum, shade) => sum + (shade !== HIDDEN), 0)
  part("shown").hidden = shown === count
  part("shown").textContent = `${grouped(shown)} of ${grouped(count)} states are shown; the others are filtered out, or have no value here`
  if (layerOf) part("legend").className = colour.categories ? "" : "plain"
  if (selected.length) await writeSelection()
  draw()
}

async function choose(name) {
  const wanted = columns.get(name)
  if (wanted) colour = wanted
  if (colour.species) followed = colour
  part("colour").value = colour.name
  part("tip").hidden = true
  await recolour()
  if (chosen >= 0) await writeCard()
}

async function filter(name, from, to) {
  filters.set(name, [from, to])
  await recolour()
  listFilters()
}

function listFilters() {
  part("filters").replaceChildren(...[...filters].map(([name, [from, to]]) => {
    const item = document.createElement("li")
    const ends = from === -Infinity ? `≤ ${told(to)}` : to === Infinity ? `≥ ${told(from)}` : `from ${told(from)} to ${told(to)}`
    const text = `${columns.get(name).label} ${ends} `
    const drop = document.createElement("button")
    drop.textContent = "×"
    drop.title = "show all again"
    drop.onclick = async () => { filters.delete(name); await recolour(); listFilters() }
    item.append(text, drop)
    return item
  }))
}

// which result a colour means; a result that is not ticked is hidden
function writeLegend() {
  if (!layerOf) return
  part("legend").hidden = false
  part("legend").replaceChildren(...meta.layers.map((name, number) => {
    const item = document.createElement("li")
    const label = document.createElement("label")
    const tick = document.createElement("input")
    const patch = document.createElement("span")
    tick.type = "checkbox"
    tick.checked = true
    tick.onchange = () => { unseen[tick.checked ? "delete" : "add"](number); recolour() }
    patch.className = "patch"
    patch.style.background = `rgb(${meta.palette[number].join()})`
    label.append(tick, patch, name)
    item.append(label)
    return item
  }))
}

// ---- which point is meant

function nearest(x, y) {
  let found = -1
  let least = REACH * REACH
  let front = -Infinity
  const spot = [0, 0, 0]
  for (let i = 0; i < count; i++) {
    if (shades[i] < 0) continue
    const [sx, sy, depth] = onScreen(places, i, spot)
    const distance = (sx - x) ** 2 + (sy - y) ** 2
    if (distance < least || (solid && distance < 9 && depth > front && least < 9)) {
      found = i
      least = distance
      front = depth
    }
  }
  return found
}

function inside(polygon, x, y) {
  let within = false
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [ax, ay] = polygon[i], [bx, by] = polygon[j]
    if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) within = !within
  }
  return within
}

function selectInside(polygon) {
  selected = []
  const spot = [0, 0, 0]
  if (polygon.length > 2) for (let i = 0; i < count; i++) {
    if (shades[i] < 0) continue
    const [x, y] = onScreen(places, i, spot)
    if (inside(polygon, x, y)) selected.push(i)
  }
  return writeSelection()
}

// ---- which known states are nearest in the latent space

const latents = new Map()
function latentsOf(id, points) {
  if (!latents.has(id)) {
    latents.set(id, unpacked(id).then((buffer) =>
      meta.latents.scale.map((_, number) => summed(new Uint16Array(buffer, 2 * number * points, points)))))
  }
  return latents.get(id)
}

// of a database, or of the first result on the page
async function knownStates(i) {
  const own = await latentsOf("latent", count)
  if (!meta.known) return { own, among: own, points: count, tracers: tracerOf, self: tracerOf[i], names: meta.tracers }
  const { points, tracers: names } = meta.known
  const among = await latentsOf("knownlatent", points)
  const tracers = await valuesOf({ id: "knowntracer", whole: true })
  return { own, among, points, tracers, self: names.indexOf(meta.tracers[tracerOf[i]]), names }
}

// the nearest state of each of the nearest tracers, but for the state's own
async function nearestKnown(i) {
  const { own, among, points, tracers, self, names } = await knownStates(i)
  const squares = new Float32Array(points)
  meta.latents.scale.forEach((scale, number) => {
    const x = own[number][i], values = among[number]
    for (let j = 0; j < points; j++) {
      const apart = scale * (values[j] - x)
      squares[j] += apart * apart
    }
  })
  const best = new Int32Array(names.length).fill(-1)
  for (let j = 0; j < points; j++) {
    const tracer = tracers[j]
    if (best[tracer] < 0 || squares[j] < squares[best[tracer]]) best[tracer] = j
  }
  if (self >= 0) best[self] = -1
  const found = [...best].filter((j) => j >= 0 && (meta.known || !layerOf || !layerOf[j]))
  found.sort((one, other) => squares[one] - squares[other])
  return found.slice(0, NEAREST).map((j) => ({ state: j, distance: Math.sqrt(squares[j]) }))
}

// ---- words: tooltip, card, selection

const cell = (text, tag = "td") => {
  const element = document.createElement(tag)
  element.textContent = text
  return element
}
function table(rows, head) {
  const element = document.createElement("table")
  for (const [number, row] of [...(head ? [head] : []), ...rows].entries()) {
    const line = document.createElement("tr")
    line.append(...row.map((text) => cell(text, head && number === 0 ? "th" : "td")))
    element.append(line)
  }
  return element
}
const heading = (i) => `tracer ${meta.tracers[tracerOf[i]]}, step ${stepOf[i]}`

async function facts(i) {
  const shown = meta.columns.filter((column) => !column.species)
  if (colour.species) shown.push(colour)
  return Promise.all(shown.map(async (column) =>
    [column.label, words(column, (await valuesOf(column))[i])]))
}

async function writeTip(i, x, y) {
  const tip = part("tip")
  if (i < 0) {
    tip.hidden = true
    return
  }
  const rows = await facts(i)
  if (hovered !== i) return
  tip.replaceChildren(cell(heading(i), "b"), table(rows))
  tip.hidden = false
  tip.style.left = Math.max(0, Math.min(x + 14, view.wide - tip.offsetWidth - 4)) + "px"
  tip.style.top = Math.max(0, Math.min(y + 14, view.high - tip.offsetHeight - 4)) + "px"
}

const HELP = [
  "Each point is a state of one tracer; states that are chemically alike lie close together.",
  "Point at a state to read it; click to draw its tracer's path from start (circle) to end (square).",
]

// the table of the nearest known states; one that is on the page is selected by a click
async function nearestTable(i) {
  const near = await nearestKnown(i)
  const known = meta.known
  const [tracers, steps, times] = known
    ? await Promise.all(["tracer", "step", "time"].map((name) => valuesOf({ id: "known" + name, whole: name !== "time" })))
    : [tracerOf, stepOf, await valuesOf(columns.get("time"))]
  const names = known ? known.tracers : meta.tracers
  const rows = near.map(({ state, distance }) =>
    [`${names[tracers[state]]}, step ${steps[state]}`, told(times[state]), told(distance)])
  const element = table(rows, ["tracer", "time [yr]", "distance"])
  if (!known) {
    element.className = "choice"
    element.querySelectorAll("tr").forEach((line, number) => {
      if (number) line.onclick = () => { chosen = near[number - 1].state; writeCard(); draw() }
    })
  }
  const sampled = known && known.total > known.points ? `${known.points} of ${known.total} states` : ""
  const among = known ? `${sampled || known.points + " states"} of ${known.name}`
    : layerOf ? `the states of ${meta.layers[0]} on this page` : "the states on this page"
  return [cell("nearest known states", "h2"), cell(`in the latent space, one of each other tracer, among ${among}`, "small"), element]
}

async function writeCard() {
  const card = part("card")
  if (chosen < 0) {
    card.replaceChildren(...HELP.map((text) => cell(text, "p")))
    return
  }
  const i = chosen
  const pieces = [cell(heading(i), "h2"), table(await facts(i))]
  if (meta.latents) pieces.push(...await nearestTable(i))
  const species = meta.columns.filter((column) => column.species && !column.predicted)
  if (species.length && species.length * count <= meta.readable) {
    const all = await Promise.all(species.map(async (column) => [column.typeset, (await valuesOf(column))[i]]))
    all.sort((one, other) => other[1] - one[1])
    if (all[0][1] !== meta.missing) pieces.push(cell("most abundant, per H nucleus", "h2"),
      table(all.slice(0, 8).map(([name, value]) => [name, toldAbundance(value)])))
  }
  followed ??= species[0]
  if (followed) pieces.push(cell(`${followed.label} along this tracer`, "h2"), ...await history(followed, i))
  if (chosen === i) card.replaceChildren(...pieces)
}

// log10 of an abundance against time along the tracer of a state, which a line marks; what a surrogate predicted is dashed
async function history(column, state) {
  const tracer = tracerOf[state]
  const canvas = document.createElement("canvas")
  const wide = 2 * part("card").clientWidth // drawn twice as fine as shown
  canvas.width = wide
  canvas.height = 260
  const rows = []
  for (let i = 0; i < count; i++) if (tracerOf[i] === tracer) rows.push(i)
  const [time, unit] = columns.has("time") ? [await valuesOf(columns.get("time")), " yr"] : [stepOf, ""]
  rows.sort((one, other) => time[one] - time[other])
  const twin = columns.get(column.name + " predicted")
  const curves = [await valuesOf(column), ...(twin ? [await valuesOf(twin)] : [])]
  const all = curves.flatMap((values) => rows.map((i) => values[i])).filter((value) => value !== meta.missing).map((value) => value / 100)
  if (!all.length) return [cell("its abundances are not known", "p")]
  // what is as good as absent, as many species are at first, leaves the picture below
  const present = all.filter((value) => value > meta.floor / 100)
  const [low, high] = present.length ? [Math.min(...present), Math.max(...present)] : [all[0], all[0]]
  const [first, last] = [time[rows[0]], time[rows[rows.length - 1]]]
  const ink = canvas.getContext("2d")
  ink.font = "20px sans-serif"
  ink.fillStyle = "#57606a"
  const left = 120, right = wide - 8
  const across = (i) => left + (right - left) * (last > first ? (time[i] - first) / (last - first) : 0.5)
  ink.fillText(told(10 ** high, 2), 4, 22)
  if (high > low) ink.fillText(told(10 ** low, 2), 4, 226)
  ink.fillText(told(first) + unit, left, 254)
  ink.textAlign = "right"
  ink.fillText(told(last) + unit, right, 254)
  ink.fillRect(across(state), 8, 2, 220)
  curves.forEach((values, number) => {
    ink.setLineDash(number ? [8, 6] : [])
    ink.strokeStyle = number ? ACCENT : "#0072b2"
    ink.lineWidth = 3
    ink.beginPath()
    rows.filter((i) => values[i] !== meta.missing).forEach((i, place) => {
      const y = 220 - 205 * (high > low ? Math.max(-0.04, (values[i] / 100 - low) / (high - low)) : 0.5)
      place ? ink.lineTo(across(i), y) : ink.moveTo(across(i), y)
    })
    ink.stroke()
  })
  return [cell("logarithmic scale" + (twin ? "; solid: true, dashed: predicted" : ""), "small"), canvas]
}

const grouped = (number) => number.toLocaleString("en")
const quoted = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
async function asTable(rows, title, write) {
  const shown = meta.columns.filter((column) => !column.species)
  if (colour.species) shown.push(colour)
  const values = await Promise.all(shown.map(valuesOf))
  const lines = rows.map((i) => [meta.tracers[tracerOf[i]], String(stepOf[i]),
    ...shown.map((column, number) => write(column, values[number][i]))])
  return [["tracer", "step", ...shown.map(title)], lines]
}

// what a filter hides is no part of table and file
const seen = () => selected.filter((i) => shades[i] !== HIDDEN)

async function writeSelection() {
  const box = part("selection")
  const there = seen()
  box.hidden = !there.length
  if (!there.length) return
  const [head, rows] = await asTable(there.slice(0, 100), (column) => column.label, words)
  const save = document.createElement("button")
  save.textContent = "save as CSV"
  save.id = "csv"
  save.onclick = async () => {
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([await csv()], { type: "text/csv" }))
    link.download = "selection.csv"
    link.click()
  }
  const frame = document.createElement("div")
  frame.className = "rows"
  frame.append(table(rows, head))
  const more = there.length > rows.length ? `, the first ${rows.length} below` : ""
  box.replaceChildren(cell(`${grouped(there.length)} states selected${more}`, "h2"), save, frame)
}

async function csv() {
  const [head, rows] = await asTable(seen(), (column) => column.name, exact)
  return [head, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n"
}

// ---- the hand

const at = (event) => {
  const box = drawing.getBoundingClientRect()
  return [event.clientX - box.left, event.clientY - box.top]
}
let grip = null
let drawn = false
drawing.onpointerdown = (event) => {
  drawing.setPointerCapture(event.pointerId)
  grip = { from: at(event), moved: 0 }
  if (drawn) lasso = [grip.from]
}
drawing.onpointermove = (event) => {
  const [x, y] = at(event)
  if (!grip) {
    hover(x, y)
    return
  }
  const [dx, dy] = [x - grip.from[0], y - grip.from[1]]
  grip.moved += Math.abs(dx) + Math.abs(dy)
  grip.from = [x, y]
  if (lasso) lasso.push([x, y])
  else if (solid && !event.shiftKey) view.turn = turned(turned(view.turn, dx / 150, 1), dy / 150, 0)
  else view.pan = [view.pan[0] - dx / view.scale, view.pan[1] + dy / view.scale]
  draw()
}
drawing.onpointerup = async (event) => {
  const still = grip && grip.moved < 4
  const polygon = lasso
  grip = null
  lasso = null
  if (polygon && !still) {
    press(false)
    await selectInside(polygon)
  } else if (still) {
    chosen = nearest(...at(event))
    await writeCard()
  }
  draw()
}
drawing.onpointerleave = () => { hovered = -1; part("tip").hidden = true; draw() }
drawing.addEventListener("wheel", (event) => {
  event.preventDefault()
  zoom(Math.exp(-event.deltaY / 400), ...at(event))
}, { passive: false })

let looking = false
function hover(x, y) {
  if (looking) return
  looking = true
  requestAnimationFrame(() => {
    looking = false
    hovered = nearest(x, y)
    writeTip(hovered, x, y)
    drawOver()
  })
}

function zoom(factor, x, y) {
  const [ox, oy] = [(x - view.wide / 2) / view.scale, (view.high / 2 - y) / view.scale]
  view.scale *= factor
  view.pan = [view.pan[0] + ox * (1 - 1 / factor), view.pan[1] + oy * (1 - 1 / factor)]
  draw()
}

function press(on) {
  drawn = on
  part("lasso").setAttribute("aria-pressed", on)
}

function fit() {
  const box = stage.getBoundingClientRect()
  const ratio = window.devicePixelRatio || 1
  view.wide = box.width
  view.high = box.height
  for (const canvas of [part("points"), drawing]) {
    canvas.width = Math.round(box.width * ratio)
    canvas.height = Math.round(box.height * ratio)
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0)
  const before = view.first
  view.first = wholeScale()
  if (before) view.scale *= view.first / before
  draw()
}

// ---- begin

part("columns").append(...meta.columns.map((column) => {
  const option = document.createElement("option")
  option.value = column.name
  return option
}))
writeLegend()
const ink = part("ramp").getContext("2d")
meta.ramp.forEach(([r, g, b], i) => {
  ink.fillStyle = `rgb(${r}, ${g}, ${b})`
  ink.fillRect(i, 0, 1, 1)
})
// an emptied field offers every column; one that names none goes back
part("colour").onfocus = () => { part("colour").value = "" }
part("colour").onblur = () => { part("colour").value = colour.name }
part("colour").onchange = () => choose(part("colour").value)
part("keep").onclick = () => {
  const number = (id, none) => part(id).value === "" ? none : Number(part(id).value)
  // what is no number would hide everything
  if (["from", "to"].some((id) => !part(id).reportValidity())) return
  if (part("from").value || part("to").value) filter(colour.name, number("from", -Infinity), number("to", Infinity))
}
part("lasso").onclick = () => press(!drawn)
part("reset").onclick = () => { selected = []; writeSelection(); wholeView() }
window.onresize = fit
fit()
wholeView()
await choose(colour.name)
await writeCard()
part("wait").hidden = true
// what tests and consoles ask for
window.page = {
  choose, filter, zoom, view, csv, nearestKnown, ready: true,
  shades, place: (i) => onScreen(places, i), path: () => chosen < 0 ? [] : pathOf(tracerOf[chosen]),
  selected: () => selected, chosen: () => chosen,
}
})()
