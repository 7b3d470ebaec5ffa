package kernel

// lanes is how many output channels the inner loops compute at once: eight sums, one input
// value and a product fit the sixteen registers of x86-64 and leave room on arm64.
const lanes = 8

// groups is the number of runs of lanes in a layout; a block's last run may be short.
func groups(l Layout) int { return l.Blocks() * groupsPerBlock(l) }

func groupsPerBlock(l Layout) int { return (l.Block + lanes - 1) / lanes }

// lane returns the channel of lane l of group g, or -1 where there is none.
func (l Layout) lane(g, lane int) int {
	per := groupsPerBlock(l)
	in := g%per*lanes + lane
	c := g/per*l.Block + in
	if in >= l.Block || c >= l.C {
		return -1
	}
	return c
}

// atGroup returns the place of pixel (0, 0), first lane of group g.
func (l Layout) atGroup(sample, g int) int {
	per := groupsPerBlock(l)
	return l.at(sample, g/per) + g%per*lanes
}

// pass slides a window over src and writes what it sums up to a grid of pixels of dst. A
// convolution forward is one pass; backward it is one for each phase of the stride.
type pass struct {
	src, dst       Layout
	rows, cols     int // of the grid
	srcRow, srcCol int // the first window's corner, frame included
	srcStep        int // from window to window
	dstRow, dstCol int // the grid's first pixel, frame included
	dstStep        int
	ky, kx         []int // the kernel's taps in the window's order
	relu           bool
	weight         [][lanes]float32 // [group of dst][block of src][ky][kx][lane of src]
}

// pack brings the weights in the order in which run reads them; at gives the weight between a
// channel of dst and one of src.
func (p *pass) pack(at func(dst, src, ky, kx int) float32) {
	per := p.src.Blocks() * len(p.ky) * len(p.kx) * p.src.Block
	if p.weight == nil {
		p.weight = make([][lanes]float32, groups(p.dst)*per)
	}
	Parallel(groups(p.dst), func(g int) {
		w := p.weight[g*per : (g+1)*per]
		var out [lanes]int
		for l := range out {
			out[l] = p.dst.lane(g, l)
		}
		i := 0
		for b := range p.src.Blocks() {
			used := min(p.src.Block, p.src.C-b*p.src.Block)
			for _, ky := range p.ky {
				for _, kx := range p.kx {
					for in := range used {
						for l, o := range out {
							if o >= 0 {
								w[i+in][l] = at(o, b*p.src.Block+in, ky, kx)
							}
						}
					}
					i += p.src.Block
				}
			}
		}
	})
}

// run computes the grid of the first n samples. bias holds one value a lane of dst, or is nil.
func (p *pass) run(n int, x, y []float32, bias [][lanes]float32) {
	ng := groups(p.dst)
	per := len(p.weight) / ng
	if per == 0 {
		p.srcRow, p.srcCol, p.srcStep = 0, 0, 0 // no tap meets this phase: only zeros are written
	}
	var zero [lanes]float32
	Parallel(n*p.rows, func(i int) {
		sample, row := i/p.rows, i%p.rows
		from := sample*p.src.Sample() + (p.srcRow+row*p.srcStep)*p.src.Row() + p.srcCol*p.src.Block
		to := (p.dstRow-p.dst.Halo+row*p.dstStep)*p.dst.Row() + (p.dstCol-p.dst.Halo)*p.dst.Block
		step := p.srcStep * p.src.Block
		var sums [maxWindows][lanes]float32
		for g := range ng {
			b := &zero
			if bias != nil {
				b = &bias[g]
			}
			at := p.dst.atGroup(sample, g) + to
			used := min(lanes, p.dst.Block-g%groupsPerBlock(p.dst)*lanes)
			w := p.weight[g*per : (g+1)*per]
			for c := 0; c < p.cols; {
				n := windowsAtOnce(p.cols - c)
				for k := range n {
					sums[k] = *b
				}
				if per > 0 {
					correlateWindows(x[from+c*step:], step, p.src.Plane(), p.src.Row(),
						p.src.Blocks(), len(p.ky), len(p.kx)*p.src.Block, w, sums[:n])
				}
				for k := range n {
					if p.relu {
						for l, v := range sums[k] {
							sums[k][l] = max(v, 0)
						}
					}
					copy(y[at+(c+k)*p.dstStep*p.dst.Block:][:used], sums[k][:])
				}
				c += n
			}
		}
	})
}
