import CoreML
import Vision

/// Paints pixel buffers of any size and orientation: Vision scales to a size that the model takes.
final class Painter {
    private let request: VNCoreMLRequest

    init() throws {
        let place = Bundle.main.url(forResource: "Monet", withExtension: "mlmodelc")!
        let model = try MLModel(contentsOf: place, configuration: MLModelConfiguration())
        request = VNCoreMLRequest(model: try VNCoreMLModel(for: model))
        request.imageCropAndScaleOption = .scaleFill
    }

    func paint(_ picture: CVPixelBuffer) throws -> CVPixelBuffer? {
        try VNImageRequestHandler(cvPixelBuffer: picture, orientation: .right).perform([request])
        return (request.results?.first as? VNPixelBufferObservation)?.pixelBuffer
    }
}
