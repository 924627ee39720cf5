package io.pleinair.example

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/** The marks of one layer; a manifest's `strokes` has all of these, which canvas/hand.py explains. */
class Layer(
    val length: Double, val width: Double, val cover: Double, val shortest: Double, val bend: Double, val ragged: Double,
    val dry: Double, val rough: Double, val relief: Double, val rim: Double, val soft: Double, val opaque: Double,
    val aligned: Boolean
)

class Hand(
    val layers: List<Layer>, val lightness: Double, val hue: Double, val hues: List<List<Double>>, val accents: Double,
    val accent: Double
)

class Strokes(val hand: Hand, val step: Int, val stroke: String, val seed: Int)

/** What a graph takes beside the frame: float32 where there are `floats`, else int32. */
class Values(val shape: LongArray, val floats: FloatArray?, val wholes: IntArray?)

private fun floats(values: FloatArray, vararg shape: Int) = Values(shape.map { it.toLong() }.toLongArray(), values, null)

private fun wholes(values: IntArray, vararg shape: Int) = Values(shape.map { it.toLong() }.toLongArray(), null, values)

private const val CELL = 4
private const val DIFFERENCES = 8
private const val RANDOM = 9 // random numbers of a mark: how it differs, and what it shows from
private const val NEVER = 9.0
private const val ALIKE = 0.913
private const val WANDER = 64
private const val PLACES = 100
private val SCALES = mapOf("fine" to 0.7, "medium" to 1.0, "large" to 1.4)

/** The scale of marks for a picture of so many rows. */
fun scaleOf(rows: Int, stroke: String): Double =
    min(3.0, max(0.375, Math.rint(8 * SCALES.getValue(stroke) * rows / 720) / 8))

/** Lays the canvas for frames of height x width, multiples of 32: the same bits as pleinair's canvas/layout.py. */
fun layCanvas(strokes: Strokes, height: Int, width: Int): Map<String, Values> = Laying(strokes, height, width).lay()

private class Laying(strokes: Strokes, private val height: Int, private val width: Int) {
    private val hand = strokes.hand
    private val step = strokes.step
    private val seed = strokes.seed
    private val scale = scaleOf(height, strokes.stroke)
    private val h = height / step
    private val w = width / step
    private val pitch = hand.layers.map { sideOf(it, scale) }.max()!! / step
    private val laid = LinkedHashMap<String, Values>()

    fun lay(): Map<String, Values> {
        val ground = Ground(h, w, scale / step, seed)
        val scattered = hand.layers.mapIndexed { index, layer -> scatter(layer, index) }
        val marks = Marks(hand, 1 + ground.count + scattered.sumBy { it.count })
        marks.add(0, 0, NEVER, 0.0, 0.0, 0.0)
        for (i in 0 until ground.count) {
            marks.add(cell(0, ground.y[i] * step, ground.x[i] * step), 0, NEVER, 0.0, 0.0, 0.0)
            marks.differ(ground.random, i * DIFFERENCES)
        }
        var first = 0
        val drawn = hand.layers.mapIndexed { index, layer ->
            val stamps = Stamps(layer, scale, index + 1)
            addLayer(marks, layer, index, scattered[index], stamps, first)
            first += DIRECTIONS * VARIANTS * (stamps.side / step) * pitch
            stamps
        }
        laid["ground"] = wholes(ground.numbers, h, w)
        marks.putInto(laid)
        putTexels(drawn, first)
        laid["rest"] = floats(rest(), 2, height / CELL, width / CELL)
        laid["place"] = wholes(IntArray(h * w) { it / w * pitch + it % w }, h * w)
        return laid
    }

    private fun addLayer(marks: Marks, layer: Layer, index: Int, found: Scattered, stamps: Stamps, first: Int) {
        val reach = stamps.side / step
        val half = reach * step / 2
        val before = marks.count
        val axes = AXES.map { (a, b) ->
            val aligned = if (layer.aligned) 1 else 0
            Triple(aligned * (a * a - b * b), aligned * (2 * a * b), if (layer.aligned) -ALIKE else 1.0)
        }
        for (i in 0 until found.count) {
            val top = Math.floorDiv(found.y[i] - half, step)
            val left = Math.floorDiv(found.x[i] - half, step)
            found.top[i] = top
            found.left[i] = left
            val origin = found.stamp[i] * reach * pitch - top * pitch - left + first
            val (cosine, sine, agree) = axes[found.stamp[i] / VARIANTS]
            val at = cell(index, found.y[i].toDouble(), found.x[i].toDouble())
            marks.add(at, origin, found.random[i * RANDOM + 8], cosine, sine, agree)
            marks.differ(found.random, i * RANDOM)
        }
        candidates(stamps, found, before).forEachIndexed { direction, slot ->
            laid["candidates_${index}_$direction"] = wholes(slot, h * w)
        }
    }

    private fun cell(layer: Int, y: Double, x: Double): Int {
        val rows = height / CELL
        val columns = width / CELL
        fun within(at: Double, count: Int) = min(max(floor(at / CELL).toInt(), 0), count - 1)
        return (layer * rows + within(y, rows)) * columns + within(x, columns)
    }

    private fun rest(): FloatArray {
        val rows = height / CELL
        val columns = width / CELL
        val apart = CELL / (WANDER * scale)
        val wander = Field(seed, 84)
        val out = FloatArray(2 * rows * columns)
        for (i in 0 until rows * columns) {
            val slope = (wander.at(i / columns * apart * 1.4, i % columns * apart) - 0.5) * 0.8
            val norm = 1 + slope * slope
            val cosine = (1 - slope * slope) / norm
            val sine = 2 * slope / norm
            out[i] = (cosine * cosine - sine * sine).toFloat()
            out[rows * columns + i] = (2 * cosine * sine).toFloat()
        }
        return out
    }

    /** The marks of a layer over jittered lattices, one a direction, in the order of painting. */
    private fun scatter(layer: Layer, index: Int): Scattered {
        val side = sideOf(layer, scale)
        val area = 0.5 * (1 + layer.shortest) * layer.length * layer.width * 0.8 * (if (layer.aligned) 1 else DIRECTIONS)
        val apart = scale * sqrt(area / layer.cover)
        val rows = ((height + side) / apart).toInt() + 2
        val columns = ((width + side) / apart).toInt() + 2
        val streams = List(12) { Stream(seed, PLACES * (index + 1) + it) }
        val places = IntArray(3 * DIRECTIONS * rows * columns)
        val order = LongArray(DIRECTIONS * rows * columns)
        var count = 0
        for (at in order.indices) {
            val slot = at / (rows * columns)
            val row = at / columns % rows
            val column = at % columns
            val y = whole((row + streams[9].draw(slot, row, column)) * apart - side / 2.0)
            val x = whole((column + streams[10].draw(slot, row, column)) * apart - side / 2.0)
            if (y <= -side / 2 || y >= height + side / 2 || x <= -side / 2 || x >= width + side / 2) continue
            places[3 * count] = at
            places[3 * count + 1] = y
            places[3 * count + 2] = x
            // By what it shows from, the largest first: 32 bits. Then in turn, in 21 bits.
            order[count] = ((1L shl 32) - whole(streams[8].bits(slot, row, column)) shl 21) + count
            count++
        }
        order.sort(0, count)
        val found = Scattered(count)
        for (i in 0 until count) {
            val from = 3 * (order[i] and ((1L shl 21) - 1)).toInt()
            val at = places[from]
            val slot = at / (rows * columns)
            val row = at / columns % rows
            val column = at % columns
            found.y[i] = places[from + 1]
            found.x[i] = places[from + 2]
            for (k in 0 until RANDOM) found.random[i * RANDOM + k] = streams[k].draw(slot, row, column)
            found.stamp[i] = slot * VARIANTS + floor(streams[11].draw(slot, row, column) * VARIANTS).toInt()
        }
        return found
    }

    private fun whole(at: Double) = floor(at / step).toInt() * step

    /** The topmost mark of each direction at each sample: marks come in the order of painting. */
    private fun candidates(stamps: Stamps, found: Scattered, before: Int): List<IntArray> {
        val side = stamps.side
        val reach = side / step
        val least = (if (step == 1) 102 else 64) * (stamps.mostCover / 255.0)
        val owned = List(DIRECTIONS * VARIANTS) { stamp ->
            (0 until reach * reach).filter { place ->
                val corner = (stamp * side + place / reach * step) * side + place % reach * step
                var sum = 0
                for (i in 0 until step) for (j in 0 until step) sum += stamps.cover(corner + i * side + j)
                sum.toDouble() / (step * step) >= least
            }.toIntArray()
        }
        val slots = List(DIRECTIONS) { IntArray(h * w) }
        for (i in 0 until found.count) {
            val out = slots[found.stamp[i] / VARIANTS]
            for (place in owned[found.stamp[i]]) {
                val y = found.top[i] + place / reach
                val x = found.left[i] + place % reach
                if (y in 0 until h && x in 0 until w) out[y * w + x] = before + i
            }
        }
        return slots
    }

    /** Of each pixel of a sample cover as 0..255, and relief behind the point. */
    private fun putTexels(drawn: List<Stamps>, count: Int) {
        for (pixel in 0 until step * step) {
            val plane = FloatArray(count)
            var to = 0
            for (stamps in drawn) {
                val reach = stamps.side / step
                for (line in 0 until DIRECTIONS * VARIANTS * reach) {
                    for (x in 0 until reach) {
                        val from = (line * step + pixel / step) * stamps.side + x * step + pixel % step
                        plane[to + x] = (stamps.cover(from) + stamps.relief(from) / 256.0).toFloat()
                    }
                    to += pitch
                }
            }
            laid["texels_${pixel / step}_${pixel % step}"] = floats(plane, count)
        }
    }
}

private class Scattered(val count: Int) {
    val y = IntArray(count)
    val x = IntArray(count)
    val top = IntArray(count)
    val left = IntArray(count)
    val stamp = IntArray(count)
    val random = DoubleArray(RANDOM * count)
}

/** Marks as a graph takes them, written one after the other. */
private class Marks(private val hand: Hand, private val all: Int) {
    var count = 0
        private set
    private val cells = IntArray(all)
    private val origins = IntArray(all)
    private val rows = FloatArray(8 * all)

    fun add(at: Int, origin: Int, showFrom: Double, cosine: Double, sine: Double, agree: Double) {
        cells[count] = at
        origins[count] = origin
        rows[count] = showFrom.toFloat()
        rows[all + count] = cosine.toFloat()
        rows[2 * all + count] = sine.toFloat()
        rows[3 * all + count] = agree.toFloat()
        count++
    }

    /** How the mark that was added last differs from the plan's colour, by random numbers from a place on. */
    fun differ(random: DoubleArray, from: Int) {
        val mark = count - 1
        val pure = if (random[from + 7] < hand.accents) hand.accent else 1.0
        rows[4 * all + mark] = ((random[from] + random[from + 1] - 1) * 2 * hand.lightness).toFloat()
        for (c in 0 until 3) {
            var sum = 0.0
            for (i in hand.hues.indices) sum += (random[from + 2 + i] * 2 - 1) * hand.hue * pure * hand.hues[i][c]
            rows[(5 + c) * all + mark] = sum.toFloat()
        }
    }

    fun putInto(laid: MutableMap<String, Values>) {
        laid["cell"] = wholes(cells, all)
        laid["marks"] = floats(rows, 8, all)
        laid["origin"] = wholes(origins, all)
    }
}

/** The patches: their number at each sample, their middles, their random numbers. */
private class Ground(h: Int, w: Int, scale: Double, seed: Int) {
    val numbers = IntArray(h * w)
    val count: Int
    val y: DoubleArray
    val x: DoubleArray
    val random: DoubleArray

    init {
        val (down, across) = 9 * scale to 14 * scale
        val fields = listOf(Field(seed, 80), Field(seed, 81))
        val shift = Stream(seed, 82)
        // The patch of each sample: the row in the upper 32 bits, the column in the lower, in an order that sorts.
        val patches = LongArray(h * w) {
            val y = (it / w + 0.5) / down
            val x = (it % w + 0.5) / across
            val row = floor(y + (fields[0].at(y, x) - 0.5) * 1.6).toInt()
            val column = floor(x + (fields[1].at(y, x) - 0.5) * 1.6 + shift.draw(row)).toInt()
            (row.toLong() shl 32) + column
        }
        val all = patches.distinct().sorted().toLongArray()
        count = all.size
        y = DoubleArray(count)
        x = DoubleArray(count)
        val samples = IntArray(count)
        for (i in patches.indices) {
            val at = all.binarySearch(patches[i])
            numbers[i] = at + 1
            samples[at]++
            y[at] += i / w + 0.5
            x[at] += i % w + 0.5
        }
        val draw = Stream(seed, 90)
        random = DoubleArray(count * DIFFERENCES)
        for (at in 0 until count) {
            y[at] /= samples[at].toDouble()
            x[at] /= samples[at].toDouble()
            val column = all[at].toInt()
            val row = (all[at] - column shr 32).toInt()
            for (i in 0 until DIFFERENCES) random[at * DIFFERENCES + i] = draw.draw(row, column, i)
        }
    }
}
