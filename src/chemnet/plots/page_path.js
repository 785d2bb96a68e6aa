// Draw the path of the tapped state's tracer and write its card.
// args: points, paths, offsets, line, ends, card, species, choices, fields
const picked = points.selected.indices
if (picked.length === 0) {
  line.data = {x: [], y: []}
  ends.data = {x: [], y: [], marker: []}
  card.text = card.tags[0]
  return
}
const index = picked[0]
const tracer = points.data.tracer[index]
const x = Array.from(paths.data.x.slice(offsets[tracer], offsets[tracer + 1]))
const y = Array.from(paths.data.y.slice(offsets[tracer], offsets[tracer + 1]))
line.data = {x: x, y: y}
ends.data = {x: [x[0], x[x.length - 1]], y: [y[0], y[y.length - 1]], marker: ["circle", "square"]}

const escaped = (text) => {
  const element = document.createElement("span")
  element.textContent = text
  return element.innerHTML
}
const row = (name, value) => `<tr><td>${escaped(name)}</td><td>${escaped(value)}</td></tr>`
const rows = fields.map(([column, label]) => row(label, Number(points.data[column][index]).toPrecision(4)))
let text = `<h3>tracer ${escaped(points.data.name[index])}, step ${points.data.step[index]}</h3>`
text += `<table>${rows.join("")}</table>`

const known = Object.entries(choices).filter(([_, choice]) => choice.species)
if (known.length > 0) {
  const abundant = known.map(([name, choice]) => [name, choice.floor * (1 - species.data[choice.column][index] / 255)])
  abundant.sort((one, other) => other[1] - one[1])
  const listed = abundant.slice(0, 8).map(([name, dex]) => row(name, dex.toFixed(1)))
  text += `<h4>most abundant, log<sub>10</sub> n/n<sub>H</sub></h4><table>${listed.join("")}</table>`
}
card.text = text
