"use strict"
// The points of an embedding by WebGL, and what a reader does with them. The functions stand in the order of their use.
;(async () => {
const meta = JSON.parse(document.getElementById("meta").textContent)
const count = meta.points
const part = (id) => document.getElementById(id)
const REACH = 10 // px around the pointer in which a point is meant
const HIDDEN = -1
const ACCENT = "#d55e00"

// ---- columns: packed by Python, unpacked when they are first needed

async function unpacked(id) {
  const element = part(id)
  const packed = await fetch("data:application/octet-stream;base64," + element.textContent)
  const buffer = await new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer()
  element.remove()
  return buffer
}

// species come as differences of log10 in hundredths of a dex
function summed(differences) {
  const values = new Int16Array(differences.length)
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
    held.set(column.id, unpacked(column.id).then((buffer) =>
      column.species ? summed(new Int16Array(buffer)) : new Float32Array(buffer)))
  }
  return held.get(column.id)
}

// a column's value as people read it: one notation for all
const natural = (column, value) => column.species ? 10 ** (value / 100) : value
function told(value) {
  if (!Number.isFinite(value)) return "unknown"
  const size = Math.abs(value)
  return size !== 0 && (size < 1e-2 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(4)))
}

// ---- what is shown: places, shades (0 to 1 along the colours, HIDDEN where filtered out), and the view

const places = new Float32Array(await unpacked("place"))
const tracerOf = new Uint32Array(await unpacked("tracer"))
const stepOf = new Uint32Array(await unpacked("step"))
const vertices = new Float32Array(await unpacked("vertex"))
const solid = meta.dimensions === 3
const shades = new Float32Array(count)
const filters = new Map()
let colour = meta.columns[0]
let chosen = -1
let hovered = -1
let selected = []
let lasso = null

const stage = part("stage")
const drawing = part("drawing")
const pen = drawing.getContext("2d")
const view = { turn: [1, 0, 0, 0, 1, 0, 0, 0, 1], pan: [0, 0], scale: 1, wide: 1, high: 1 }

function wholeView() {
  view.turn = solid ? turned(turned([1, 0, 0, 0, 1, 0, 0, 0, 1], 0.6, 1), -0.5, 0) : [1, 0, 0, 0, 1, 0, 0, 0, 1]
  view.pan = [0, 0]
  const [wide, high] = solid ? [2 * meta.radius, 2 * meta.radius] : meta.extent
  view.scale = 0.92 * Math.min(view.wide / wide, view.high / high)
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

// where a point of some places stands on the screen [px]
function onScreen(from, i) {
  const [cx, cy, cz] = meta.centre
  const x = from[3 * i] - cx, y = from[3 * i + 1] - cy, z = from[3 * i + 2] - cz
  const t = view.turn
  return [
    view.wide / 2 + (t[0] * x + t[1] * y + t[2] * z - view.pan[0]) * view.scale,
    view.high / 2 - (t[3] * x + t[4] * y + t[5] * z - view.pan[1]) * view.scale,
    t[6] * x + t[7] * y + t[8] * z,
  ]
}

// ---- WebGL

const gl = part("points").getContext("webgl", { antialias: false, preserveDrawingBuffer: true })
if (!gl) {
  part("wait").textContent = "This browser shows no WebGL, which the points need."
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
const ramp = Uint8Array.from(meta.ramp.flat())
gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1)
gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, ramp)
for (const [what, how] of [[gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
  [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]]) gl.texParameteri(gl.TEXTURE_2D, what, how)
gl.clearColor(1, 1, 1, 1)
if (solid) gl.enable(gl.DEPTH_TEST)
else {
  gl.enable(gl.BLEND)
  gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA)
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
  pen.fillStyle = "#57606a"
  pen.font = "12px sans-serif"
  pen.fillText(solid ? "drag turns, shift and drag moves, scroll zooms" : "component 1 to the right, component 2 upwards", 18, view.high - 10)
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

async function recolour() {
  const values = await valuesOf(colour)
  const { low, high } = colour
  for (let i = 0; i < count; i++) {
    const value = colour.species ? values[i] / 100 : logarithm(colour, values[i])
    shades[i] = Number.isFinite(value) ? Math.min(1, Math.max(0, (value - low) / (high - low))) : HIDDEN
  }
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
  const back = (value) => colour.species || colour.logarithmic ? 10 ** value : value
  part("low").textContent = "≤ " + told(back(low))
  part("high").textContent = "≥ " + told(back(high))
  part("unit").textContent = colour.label
  draw()
}

async function choose(name) {
  const wanted = columns.get(name)
  if (wanted) colour = wanted
  part("colour").value = colour.name
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
    const text = `${name}: ${from === -Infinity ? "" : told(from)} to ${to === Infinity ? "" : told(to)} `
    const drop = document.createElement("button")
    drop.textContent = "×"
    drop.title = "show all again"
    drop.onclick = async () => { filters.delete(name); await recolour(); listFilters() }
    item.append(text, drop)
    return item
  }))
}

// ---- which point is meant

function nearest(x, y) {
  let found = -1
  let least = REACH * REACH
  let front = -Infinity
  for (let i = 0; i < count; i++) {
    if (shades[i] < 0) continue
    const [sx, sy, depth] = onScreen(places, i)
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
  if (polygon.length > 2) for (let i = 0; i < count; i++) {
    if (shades[i] < 0) continue
    const [x, y] = onScreen(places, i)
    if (inside(polygon, x, y)) selected.push(i)
  }
  return writeSelection()
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
    [column.label, told(natural(column, (await valuesOf(column))[i]))]))
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

async function writeCard() {
  const card = part("card")
  if (chosen < 0) {
    card.replaceChildren(...HELP.map((text) => cell(text, "p")))
    return
  }
  const i = chosen
  const pieces = [cell(heading(i), "h2"), table(await facts(i))]
  const species = meta.columns.filter((column) => column.species && !column.predicted)
  if (species.length && species.length * count <= meta.readable) {
    const all = await Promise.all(species.map(async (column) => [column.name, (await valuesOf(column))[i]]))
    all.sort((one, other) => other[1] - one[1])
    pieces.push(cell("most abundant, per H nucleus", "h2"),
      table(all.slice(0, 8).map(([name, value]) => [name, told(10 ** (value / 100))])))
  }
  const followed = colour.species ? colour : species[0]
  if (followed) pieces.push(cell(`${followed.name} along this tracer`, "h2"), await history(followed, tracerOf[i]))
  if (chosen === i) card.replaceChildren(...pieces)
}

// log10 of an abundance against time along the shown states of a tracer; what a surrogate predicted is dashed
async function history(column, tracer) {
  const canvas = document.createElement("canvas")
  canvas.width = 548
  canvas.height = 260
  const rows = []
  for (let i = 0; i < count; i++) if (tracerOf[i] === tracer) rows.push(i)
  const time = columns.has("time") ? await valuesOf(columns.get("time")) : stepOf
  rows.sort((one, other) => time[one] - time[other])
  const twin = columns.get(column.name + " predicted")
  const curves = [await valuesOf(column), ...(twin ? [await valuesOf(twin)] : [])]
  const all = curves.flatMap((values) => rows.map((i) => values[i] / 100))
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const [first, last] = [time[rows[0]], time[rows[rows.length - 1]]]
  const ink = canvas.getContext("2d")
  ink.font = "20px sans-serif"
  ink.fillStyle = "#57606a"
  ink.fillText(told(10 ** high), 4, 22)
  ink.fillText(told(10 ** low), 4, 226)
  ink.fillText(told(first) + " yr", 100, 254)
  ink.textAlign = "right"
  ink.fillText(told(last) + " yr", 540, 254)
  curves.forEach((values, number) => {
    ink.setLineDash(number ? [8, 6] : [])
    ink.strokeStyle = number ? ACCENT : "#0072b2"
    ink.lineWidth = 3
    ink.beginPath()
    rows.forEach((i, place) => {
      const x = 100 + 440 * (last > first ? (time[i] - first) / (last - first) : 0.5)
      const y = 220 - 205 * (high > low ? (values[i] / 100 - low) / (high - low) : 0.5)
      place ? ink.lineTo(x, y) : ink.moveTo(x, y)
    })
    ink.stroke()
  })
  return canvas
}

const quoted = (text) => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
async function asTable(rows) {
  const shown = meta.columns.filter((column) => !column.species)
  if (colour.species) shown.push(colour)
  const values = await Promise.all(shown.map(valuesOf))
  const lines = rows.map((i) => [meta.tracers[tracerOf[i]], String(stepOf[i]),
    ...shown.map((column, number) => told(natural(column, values[number][i])))])
  return [["tracer", "step", ...shown.map((column) => column.name)], lines]
}

async function writeSelection() {
  const box = part("selection")
  box.hidden = !selected.length
  if (!selected.length) return
  const [head, rows] = await asTable(selected.slice(0, 100))
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
  const more = selected.length > rows.length ? `, the first ${rows.length} below` : ""
  box.replaceChildren(cell(`${selected.length} states selected${more}`, "h2"), save, frame)
}

async function csv() {
  const [head, rows] = await asTable(selected)
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
  draw()
}

// ---- begin

part("columns").append(...meta.columns.map((column) => {
  const option = document.createElement("option")
  option.value = column.name
  return option
}))
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
  const number = (id, none) => part(id).value.trim() === "" ? none : Number(part(id).value)
  filter(colour.name, number("from", -Infinity), number("to", Infinity))
}
part("lasso").onclick = () => press(!drawn)
part("reset").onclick = () => { selected = []; writeSelection(); wholeView() }
window.onresize = fit
fit()
const [wide, high] = solid ? [2 * meta.radius, 2 * meta.radius] : meta.extent
view.first = 0.92 * Math.min(view.wide / wide, view.high / high)
wholeView()
await choose(colour.name)
await writeCard()
part("wait").remove()
// what tests and consoles ask for
window.page = {
  choose, filter, zoom, view, csv, ready: true,
  shades, place: (i) => onScreen(places, i), path: () => chosen < 0 ? [] : pathOf(tracerOf[chosen]),
  selected: () => selected, chosen: () => chosen,
}
})()
