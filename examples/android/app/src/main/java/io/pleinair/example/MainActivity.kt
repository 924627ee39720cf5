package io.pleinair.example

import android.Manifest
import android.graphics.Bitmap
import android.os.Bundle
import android.widget.ImageView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.lifecycle.ProcessCameraProvider
import java.util.concurrent.Executors

/** Shows the camera's picture, painted; the newest frame wins. */
class MainActivity : ComponentActivity() {
    private val thread = Executors.newSingleThreadExecutor()
    private lateinit var view: ImageView

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        view = ImageView(this)
        setContentView(view)
        val ask = registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
            if (granted) start() else finish()
        }
        ask.launch(Manifest.permission.CAMERA)
    }

    private fun start() {
        val manifest = assets.open("manifest.json").bufferedReader().readText()
        val painter = Painter(assets.open("int8.ort").readBytes(), manifest, WIDTH, HEIGHT)
        val analysis = ImageAnalysis.Builder()
            .setOutputImageFormat(ImageAnalysis.OUTPUT_IMAGE_FORMAT_RGBA_8888)
            .setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST)
            .build()
        analysis.setAnalyzer(thread) { image ->
            val turn = image.imageInfo.rotationDegrees.toFloat()
            val frame = image.use { Bitmap.createScaledBitmap(it.toBitmap(), WIDTH, HEIGHT, true) }
            val painted = painter.paint(frame)
            runOnUiThread {
                view.rotation = turn
                view.setImageBitmap(painted)
            }
        }
        val coming = ProcessCameraProvider.getInstance(this)
        coming.addListener({
            coming.get().bindToLifecycle(this, CameraSelector.DEFAULT_BACK_CAMERA, analysis)
        }, mainExecutor)
    }

    override fun onDestroy() {
        super.onDestroy()
        thread.shutdown()
    }

    private companion object {
        const val WIDTH = 640 // multiples of 32
        const val HEIGHT = 480
    }
}
