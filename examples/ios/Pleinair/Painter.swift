import CoreImage
import CoreML

/// Paints pixel buffers of any size: upright, at one size, with the canvas of that size where the painter has strokes.
final class Painter {
    private static let width = 480, height = 640 // multiples of 32; of a painter without strokes one of the sizes that it lists
    private let model: MLModel
    private let context = CIContext()
    private let frame: CVPixelBuffer
    private var taken: [String: MLFeatureValue]

    init() throws {
        let place = Bundle.main.url(forResource: "Monet", withExtension: "mlmodelc")!
        model = try MLModel(contentsOf: place, configuration: MLModelConfiguration())
        taken = try layCanvas(height: Self.height, width: Self.width)
        var made: CVPixelBuffer?
        CVPixelBufferCreate(nil, Self.width, Self.height, kCVPixelFormatType_32BGRA, nil, &made)
        frame = made!
        taken["frame"] = MLFeatureValue(pixelBuffer: frame)
    }

    func paint(_ picture: CVPixelBuffer) throws -> CVPixelBuffer? {
        let upright = CIImage(cvPixelBuffer: picture).oriented(.right)
        let across = CGFloat(Self.width) / upright.extent.width, down = CGFloat(Self.height) / upright.extent.height
        context.render(upright.transformed(by: CGAffineTransform(scaleX: across, y: down)), to: frame)
        let painted = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: taken))
        return painted.featureValue(for: "painted")?.imageBufferValue
    }
}
