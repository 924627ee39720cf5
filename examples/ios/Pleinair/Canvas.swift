import CoreML
import JavaScriptCore

/// Lays the canvas that a painter with strokes takes beside the frame, by the script that lays it in browsers: the same bits
/// as Python. It is empty for a painter without strokes.
func layCanvas(height: Int, width: Int) throws -> [String: MLFeatureValue] {
    let manifest = try Data(contentsOf: Bundle.main.url(forResource: "manifest", withExtension: "json")!)
    let said = try JSONSerialization.jsonObject(with: manifest) as? [String: Any]
    guard let strokes = said?["strokes"] as? [String: Any] else { return [:] }
    let context = JSContext()!
    for name in ["Canvas", "Stacked"] {
        let script = try String(contentsOf: Bundle.main.url(forResource: name, withExtension: "js")!, encoding: .utf8)
        context.evaluateScript(script)
    }
    let laid = context.objectForKeyedSubscript("layStacked")!.call(withArguments: [strokes, height, width])!
    let names = context.objectForKeyedSubscript("Object")!.invokeMethod("keys", withArguments: [laid])!
    var taken: [String: MLFeatureValue] = [:]
    for name in names.toArray() as! [String] {
        let one = laid.forProperty(name)!, values = one.atIndex(1)!
        let kind: MLMultiArrayDataType = one.atIndex(0)!.toString() == "int32" ? .int32 : .float32
        let array = try MLMultiArray(shape: one.atIndex(2)!.toArray() as! [NSNumber], dataType: kind)
        let from = JSObjectGetTypedArrayBytesPtr(context.jsGlobalContextRef, values.jsValueRef, nil)!
        array.withUnsafeMutableBytes { to, _ in
            to.copyMemory(from: UnsafeRawBufferPointer(start: from, count: to.count))
        }
        taken[name] = MLFeatureValue(multiArray: array)
    }
    return taken
}
