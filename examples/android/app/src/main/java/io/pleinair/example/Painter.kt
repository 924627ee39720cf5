package io.pleinair.example

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import android.graphics.Bitmap
import java.nio.ByteBuffer
import java.nio.FloatBuffer
import java.nio.IntBuffer
import org.json.JSONArray
import org.json.JSONObject

/**
 * Paints bitmaps of one size; bytes in, bytes out: the graph does the rest. Where the bundle's manifest has strokes, their canvas
 * is laid once.
 */
class Painter(model: ByteArray, manifest: String, private val width: Int, private val height: Int) {
    private val environment = OrtEnvironment.getEnvironment()
    private val session = environment.createSession(model)
    private val shape = longArrayOf(1, height.toLong(), width.toLong(), 3)
    private val taken = ByteBuffer.allocateDirect(width * height * 3)
    private val pixels = IntArray(width * height)
    private val canvas = JSONObject(manifest).optJSONObject("strokes")
        ?.let { layCanvas(strokesOf(it), height, width).mapValues { (_, one) -> tensor(one) } }
        .orEmpty()

    fun paint(frame: Bitmap): Bitmap {
        frame.getPixels(pixels, 0, width, 0, 0, width, height)
        for (i in pixels.indices) {
            for (c in 0..2) taken.put(3 * i + c, (pixels[i] shr (16 - 8 * c)).toByte())
        }
        OnnxTensor.createTensor(environment, taken, shape, OnnxJavaType.UINT8).use { tensor ->
            session.run(canvas + ("frame" to tensor), setOf("painted")).use { made ->
                val painted = (made[0] as OnnxTensor).byteBuffer
                for (i in pixels.indices) {
                    var argb = 255
                    for (c in 0..2) argb = (argb shl 8) or (painted.get(3 * i + c).toInt() and 255)
                    pixels[i] = argb
                }
            }
        }
        return Bitmap.createBitmap(pixels, width, height, Bitmap.Config.ARGB_8888)
    }

    private fun tensor(one: Values): OnnxTensor =
        one.floats?.let { OnnxTensor.createTensor(environment, FloatBuffer.wrap(it), one.shape) }
            ?: OnnxTensor.createTensor(environment, IntBuffer.wrap(one.wholes!!), one.shape)
}

private fun strokesOf(said: JSONObject): Strokes {
    val hand = said.getJSONObject("hand")
    val layers = hand.getJSONArray("layers").let { all -> List(all.length()) { layerOf(all.getJSONObject(it)) } }
    val hues = hand.getJSONArray("hues").let { all -> List(all.length()) { doubles(all.getJSONArray(it)) } }
    return Strokes(
        Hand(
            layers, hand.getDouble("lightness"), hand.getDouble("hue"), hues, hand.getDouble("accents"), hand.getDouble("accent")
        ),
        said.getInt("step"), said.getString("stroke"), said.getLong("seed").toInt()
    )
}

private fun layerOf(said: JSONObject): Layer {
    val of = { name: String -> said.getDouble(name) }
    return Layer(
        of("length"), of("width"), of("cover"), of("shortest"), of("bend"), of("ragged"), of("dry"), of("rough"),
        of("relief"), of("rim"), of("soft"), of("opaque"), said.getBoolean("aligned")
    )
}

private fun doubles(all: JSONArray): List<Double> = List(all.length()) { all.getDouble(it) }
