package io.pleinair.example

import kotlin.math.floor

/** Random numbers that follow from where they are wanted: those of pleinair's canvas/randoms.py, bit by bit. */
class Stream(seed: Int, number: Int) {
    private val begun = mix(mix(seed xor GOLDEN) xor number)

    /** A number in [0, 1) for one to three integers, as its 32 bits. */
    fun bits(a: Int): Int = mix(begun xor a)

    fun bits(a: Int, b: Int): Int = mix(bits(a) xor b)

    fun bits(a: Int, b: Int, c: Int): Int = mix(bits(a, b) xor c)

    fun draw(a: Int): Double = unit(bits(a))

    fun draw(a: Int, b: Int): Double = unit(bits(a, b))

    fun draw(a: Int, b: Int, c: Int): Double = unit(bits(a, b, c))
}

/** 32 random bits as a whole number. */
fun whole(bits: Int): Long = bits.toLong() and 0xFFFFFFFFL

private fun unit(bits: Int): Double = whole(bits) / 4294967296.0

private const val GOLDEN = -0x61C88647 // 0x9E3779B9

/** The finalizer of MurmurHash3 (Appleby 2011). */
private fun mix(given: Int): Int {
    var value = given + GOLDEN
    value = (value xor (value ushr 16)) * -0x7A143595 // 0x85EBCA6B
    value = (value xor (value ushr 13)) * -0x3D4D51CB // 0xC2B2AE35
    return value xor (value ushr 16)
}

/** A smooth random field in 0..1 over a lattice of period 1. */
class Field(seed: Int, number: Int) {
    private val stream = Stream(seed, number)

    fun at(y: Double, x: Double): Double {
        val row = floor(y).toInt()
        val column = floor(x).toInt()
        val v = smooth(y - row)
        val u = smooth(x - column)
        val a = stream.draw(row, column)
        val c = stream.draw(row + 1, column)
        val top = a + (stream.draw(row, column + 1) - a) * u
        val bottom = c + (stream.draw(row + 1, column + 1) - c) * u
        return top + (bottom - top) * v
    }

    private fun smooth(part: Double) = part * part * (3 - 2 * part)
}
