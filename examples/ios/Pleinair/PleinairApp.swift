import SwiftUI

@main
struct PleinairApp: App {
    @StateObject private var camera = Camera()

    var body: some Scene {
        WindowGroup {
            Group {
                if let picture = camera.picture {
                    Image(decorative: picture, scale: 1).resizable().scaledToFit()
                } else {
                    Text(camera.problem ?? "starting ...")
                }
            }
            .task { await camera.start() }
        }
    }
}
