package io.pleinair.example

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import android.graphics.Bitmap
import java.nio.ByteBuffer

/** Paints bitmaps of one size; bytes in, bytes out: the graph does the rest. */
class Painter(model: ByteArray, private val width: Int, private val height: Int) {
    private val environment = OrtEnvironment.getEnvironment()
    private val session = environment.createSession(model)
    private val shape = longArrayOf(1, height.toLong(), width.toLong(), 3)
    private val taken = ByteBuffer.allocateDirect(width * height * 3)
    private val pixels = IntArray(width * height)

    fun paint(frame: Bitmap): Bitmap {
        frame.getPixels(pixels, 0, width, 0, 0, width, height)
        for (i in pixels.indices) {
            for (c in 0..2) taken.put(3 * i + c, (pixels[i] shr (16 - 8 * c)).toByte())
        }
        OnnxTensor.createTensor(environment, taken, shape, OnnxJavaType.UINT8).use { tensor ->
            session.run(mapOf("frame" to tensor)).use { made ->
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
}
