//go:build !amd64

package kernel

func best() level { return portable }

// The level is portable here, so nothing below is ever called.

func missing() { panic("kernel: no assembly here") }

func (t *tile) compute(level, int, int) { missing() }

func (t *outerTile) compute(level, int) int { missing(); return 0 }

func moments512(int, *float32, *float32, *float32, *float32)                          { missing() }
func scaleShift512(int, *float32, *float32, *float32, *float32, float32)              { missing() }
func scaleShiftAdd512(int, *float32, *float32, *float32, *float32, *float32, float32) { missing() }
func reduce512(int, *float32, *float32, *float32, *float32, *float32, *float32, *float32, float32) {
	missing()
}
func reduceMasked512(int, *float32, *float32, *float32, *float32, *float32, *float32, *float32) {
	missing()
}
func normGrad512(int, *float32, *float32, *float32, *float32, *float32, *float32, *float32, *float32, float32) {
	missing()
}
func add512(int, *float32, *float32, *float32, float32)                        { missing() }
func reluGrad512(int, *float32, *float32, *float32)                            { missing() }
func dot4_512(int, *float32, *float32, *float32, uintptr, uintptr)             { missing() }
func combine4_512(int, *float32, *float32, *float32, uintptr, uintptr)         { missing() }
func dot1_512(int, *float32, *float32, *float32, uintptr, uintptr)             { missing() }
func combine1_512(int, *float32, *float32, *float32, uintptr, uintptr)         { missing() }
func spread512(int, *float32, *float32, *float32, int, uintptr, uintptr)       { missing() }
func momentum512(int, *float32, *float32, *float32, float32, float32, float32) { missing() }
func descend512(int, *float32, *float32, float32, float32)                     { missing() }
func adadelta512(int, *float32, *float32, *float32, *float32, float32, float32, float32, float32, float32) {
	missing()
}
func moments256(int, *float32, *float32, *float32, *float32)                          { missing() }
func scaleShift256(int, *float32, *float32, *float32, *float32, float32)              { missing() }
func scaleShiftAdd256(int, *float32, *float32, *float32, *float32, *float32, float32) { missing() }
func reduce256(int, *float32, *float32, *float32, *float32, *float32, *float32, *float32, float32) {
	missing()
}
func reduceMasked256(int, *float32, *float32, *float32, *float32, *float32, *float32, *float32) {
	missing()
}
func normGrad256(int, *float32, *float32, *float32, *float32, *float32, *float32, *float32, *float32, float32) {
	missing()
}
func add256(int, *float32, *float32, *float32, float32)                        { missing() }
func reluGrad256(int, *float32, *float32, *float32)                            { missing() }
func dot2_256(int, *float32, *float32, *float32, uintptr, uintptr)             { missing() }
func combine2_256(int, *float32, *float32, *float32, uintptr, uintptr)         { missing() }
func dot1_256(int, *float32, *float32, *float32, uintptr, uintptr)             { missing() }
func combine1_256(int, *float32, *float32, *float32, uintptr, uintptr)         { missing() }
func spread256(int, *float32, *float32, *float32, int, uintptr, uintptr)       { missing() }
func momentum256(int, *float32, *float32, *float32, float32, float32, float32) { missing() }
func descend256(int, *float32, *float32, float32, float32)                     { missing() }
func adadelta256(int, *float32, *float32, *float32, *float32, float32, float32, float32, float32, float32) {
	missing()
}
func transpose512(*float32, *int, *float32, *int)                                  { missing() }
func maxRow512(*float32, *float32, *uint8, int, int, int, int32, uintptr, uintptr) { missing() }
func winoInput512(int, *float32, *float32, uintptr)                                { missing() }
func winoGradient512(int, *float32, *float32, uintptr)                             { missing() }
func winoOutput512(int, *float32, *float32, uintptr, *float32, float32)            { missing() }
func winoOutputAdd512(int, *float32, *float32, uintptr)                            { missing() }
func winoWeights512(int, *float32, *float32, uintptr, uintptr)                     { missing() }
func winoSums512(int, *float32, *float32)                                          { missing() }
