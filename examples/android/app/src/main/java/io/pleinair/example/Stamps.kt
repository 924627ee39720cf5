package io.pleinair.example

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

const val DIRECTIONS = 8
const val VARIANTS = 6
val AXES = listOf(
    1.0 to 0.0, 0.9238795325112867 to 0.3826834323650898, 0.7071067811865476 to 0.7071067811865476,
    0.3826834323650898 to 0.9238795325112867, 0.0 to 1.0, -0.3826834323650898 to 0.9238795325112867,
    -0.7071067811865476 to 0.7071067811865476, -0.9238795325112867 to 0.3826834323650898
)

private const val FINE = 3 // samples a pixel, along each side
private const val SURE = 1e-6
private const val TURN = 0.07

private fun clip(value: Double, least: Double, most: Double) = min(max(value, least), most)

/** The even side of the square that any mark of a layer fits into, in pixels. */
fun sideOf(layer: Layer, scale: Double): Int =
    2 * (scale * (layer.length * (1 + layer.bend) / 2 + layer.rough + layer.soft) + 2).toInt()

/** The marks of a layer: cover and relief as bytes, side * side of them a mark; the same as canvas/stamps.py draws. */
class Stamps(layer: Layer, scale: Double, seed: Int) {
    val side = sideOf(layer, scale)
    private val area = side * side
    private val covers = ByteArray(DIRECTIONS * VARIANTS * area)
    private val reliefs = ByteArray(DIRECTIONS * VARIANTS * area) { 128.toByte() }

    init {
        for (mark in 0 until DIRECTIONS * VARIANTS) {
            val stream = Stream(seed, mark)
            val drawn = Mark(layer, scale, side, mark, DoubleArray(208) { stream.draw(it) })
            drawn.see { row, column, cover, relief ->
                val to = mark * area + row * side + column
                covers[to] = cover.toByte()
                reliefs[to] = relief.toByte()
            }
        }
    }

    fun cover(at: Int): Int = covers[at].toInt() and 255

    fun relief(at: Int): Int = reliefs[at].toInt() and 255

    val mostCover: Int get() = covers.indices.fold(0) { most, at -> max(most, cover(at)) }
}

/** One mark, in fine samples around it: how much paint covers, 0..1, and how thick it lies. */
private class Mark(private val layer: Layer, private val scale: Double, side: Int, mark: Int, private val random: DoubleArray) {
    private val wide = (0.72 + 0.28 * random[2]) * layer.width * scale / 2
    private val size = layer.shortest + (1 - layer.shortest) * random[1]
    private val half = max(size * layer.length * scale / 2, wide)
    private val soft = layer.soft * max(scale, 0.5)
    private val top: Int
    private val left: Int
    private val height: Int
    private val width: Int
    private val alpha: DoubleArray
    private val thick: DoubleArray

    init {
        val variant = mark % VARIANTS
        val turn = ((variant + random[0]) / VARIANTS * 2 - 1) * TURN
        val norm = 1 + turn * turn
        val (c, s) = (1 - turn * turn) / norm to 2 * turn / norm
        val (x0, y0) = AXES[mark / VARIANTS]
        val cosine = x0 * c - y0 * s
        val sine = x0 * s + y0 * c
        val bend = (random[3] * 2 - 1) * layer.bend * 2 * half
        val end = 1 + soft / (2 * half) + SURE
        val beside = 1.02 * wide + (layer.rough * scale + soft) / 2 + SURE
        val aside = beside + abs(bend) * max(1.0 / 3, end * end - 1.0 / 3)
        val down = { i: Int -> (i + 0.5) / FINE - side / 2.0 - (variant / (VARIANTS / 2) - 0.5) }
        val across = { i: Int -> (i + 0.5) / FINE - side / 2.0 - (variant % 2 - 0.5) }
        val rows = span(down, side, end * half * abs(sine) + aside * abs(cosine))
        val columns = span(across, side, end * half * abs(cosine) + aside * abs(sine))
        top = rows.first
        left = columns.first
        height = rows.second - top
        width = columns.second - left
        alpha = DoubleArray(height * width)
        thick = DoubleArray(height * width)
        for (row in 0 until height) {
            for (column in 0 until width) {
                val x = across(left + column)
                val y = down(top + row)
                val t = (x * cosine + y * sine) / half
                val off = y * cosine - x * sine - bend * (1.0 / 3 - t * t)
                if (abs(t) <= end && abs(off) <= beside) paint(row * width + column, t, off)
            }
        }
    }

    /** Where coordinates are within a distance of 0, in whole pixels, of which one is around it, as fine samples. */
    private fun span(at: (Int) -> Double, side: Int, most: Double): Pair<Int, Int> {
        val count = side * FINE
        fun before(value: Double): Int {
            var n = 0
            while (n < count && at(n) < value) n++
            return n
        }
        val first = before(-most) / FINE - 1
        val last = ceil(before(most) / FINE.toDouble()).toInt() + 1
        return max(0, first) * FINE to min(side, last) * FINE
    }

    private fun paint(i: Int, t: Double, off: Double) {
        val sides = noise(16, t * 3.0) * layer.rough * scale
        val end = clip(1 - t * t, 0.0, 1.0)
        val outline = sqrt(clip(end / min(1.0, 3.2 * (wide / half)), 0.0, 1.0)) * (0.9 - 0.12 * t)
        val s = off / wide
        val lanes = noise(80, s * (2.2 + 0.35 * wide))
        val ends = 1 - layer.ragged * (0.5 + lanes) * 2
        val inside = wide * outline + sides - abs(off)
        val lengthwise = (ends - abs(t)) * half
        val lifted = clip((t - 0.1) / 0.9, 0.0, 1.0) * layer.dry
        val torn = (lanes + 0.5 - lifted * (0.6 + 0.4 * noise(144, t * 5.0))) * wide + 1.0
        val depth = min(min(inside, lengthwise), torn * 1.5)
        alpha[i] = clip(depth / soft + 0.5, 0.0, 1.0)
        val edge = clip(depth / wide * 2.5, 0.0, 1.0)
        val ridge = edge * (1 + layer.rim * clip(s * s, 0.0, 1.0))
        thick[i] = (ridge + layer.relief * lanes * edge * (1.2 - 0.4 * t)) * scale
    }

    /** Smooth noise of the 64 random numbers from a place on. */
    private fun noise(from: Int, given: Double): Double {
        val at = given + 32
        val whole = floor(at).toInt()
        val low = random[from + (whole and 63)]
        val part = (at - whole).let { it * it * (3 - 2 * it) }
        return low + (random[from + (whole + 1 and 63)] - low) * part - 0.5
    }

    /** Tells what of each pixel is covered, and how it is lit. */
    fun see(put: (Int, Int, Int, Int) -> Unit) {
        val lit = DoubleArray(alpha.size)
        val there = DoubleArray(alpha.size) { if (alpha[it] > 0) 1.0 else 0.0 }
        for (row in 0 until height) {
            for (column in 0 until width) {
                val i = row * width + column
                var slope = 0.0
                if (column > 0 && column < width - 1) slope += (thick[i + 1] - thick[i - 1]) * (FINE / 2.0) * -0.53
                if (row > 0 && row < height - 1) slope += (thick[i + width] - thick[i - width]) * (FINE / 2.0) * -0.85
                lit[i] = slope * there[i]
            }
        }
        for (row in 0 until height / FINE) {
            for (column in 0 until width / FINE) {
                val covered = mean(alpha, row, column) * layer.opaque
                val light = mean(lit, row, column) / max(mean(there, row, column), 1e-3)
                val relief = floor(clip(128 - light * 127, 0.0, 255.0) + 0.5).toInt()
                put(top / FINE + row, left / FINE + column, floor(covered * 255 + 0.5).toInt(), relief)
            }
        }
    }

    private fun mean(fine: DoubleArray, row: Int, column: Int): Double {
        var total = 0.0
        for (y in 0 until FINE) {
            for (x in 0 until FINE) total += fine[(row * FINE + y) * width + column * FINE + x]
        }
        return total / (FINE * FINE)
    }
}
