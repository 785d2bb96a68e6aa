// Colour the points by the column that was chosen.
// args: select, points, species, mapper, title, choices
const choice = choices[select.value]
const count = points.data.x.length
const colour = new Float32Array(count)
if (choice.species) {
  // one byte per value: 0 is the abundance floor, 255 is 1
  const packed = species.data[choice.column]
  for (let i = 0; i < count; i++) {
    colour[i] = choice.floor * (1 - packed[i] / 255)
  }
} else {
  const values = points.data[choice.column]
  for (let i = 0; i < count; i++) {
    colour[i] = choice.logarithmic ? Math.log10(Math.max(values[i], choice.least)) : values[i]
  }
}
mapper.low = choice.low
mapper.high = choice.high
title.text = choice.label
points.data.colour = colour
points.change.emit()
