import AVFoundation
import CoreImage

/// Gives the newest painted picture; frames that come while one is painted are dropped.
final class Camera: NSObject, ObservableObject, AVCaptureVideoDataOutputSampleBufferDelegate {
    @Published var picture: CGImage?
    @Published var problem: String?

    private let session = AVCaptureSession()
    private let queue = DispatchQueue(label: "painting")
    private let context = CIContext()
    private var painter: Painter?

    @MainActor
    func start() async {
        guard await AVCaptureDevice.requestAccess(for: .video) else {
            problem = "Allow the camera in Settings."
            return
        }
        do {
            guard let device = AVCaptureDevice.default(for: .video) else {
                problem = "There is no camera."
                return
            }
            painter = try Painter()
            session.sessionPreset = .vga640x480
            session.addInput(try AVCaptureDeviceInput(device: device))
            let output = AVCaptureVideoDataOutput()
            output.alwaysDiscardsLateVideoFrames = true
            output.setSampleBufferDelegate(self, queue: queue)
            session.addOutput(output)
            let session = session
            queue.async { session.startRunning() }
        } catch {
            problem = error.localizedDescription
        }
    }

    func captureOutput(
        _ output: AVCaptureOutput, didOutput sample: CMSampleBuffer, from connection: AVCaptureConnection
    ) {
        guard let frame = CMSampleBufferGetImageBuffer(sample),
              let painted = try? painter?.paint(frame) else { return }
        let image = CIImage(cvPixelBuffer: painted)
        let made = context.createCGImage(image, from: image.extent)
        DispatchQueue.main.async { self.picture = made }
    }
}
