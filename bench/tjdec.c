/* Decodes JPEG files to RGB in memory with libjpeg-turbo and does nothing else: the time that a
 * preparation which decodes whole images can't go below.
 *
 *   tjdec LIST PART PARTS IMAGES
 *
 * LIST has one path in front of a tab in each line. The program takes the lines PART, PART+PARTS,
 * ... of the first IMAGES, and keeps the protocol
 * of bench/harness.py: "ready", wait for a line, work, "done N CPU". */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <turbojpeg.h>
#include <unistd.h>

static unsigned char *file, *rgb;
static size_t file_room, rgb_room;

static void die(const char *what, const char *path) {
	fprintf(stderr, "tjdec: %s: %s\n", path, what);
	exit(1);
}

static void *room(unsigned char **p, size_t *have, size_t want) {
	if (want > *have) {
		free(*p);
		if (!(*p = malloc(*have = want * 2))) die("no memory", "");
	}
	return *p;
}

static void decode(tjhandle tj, const char *path) {
	struct stat st;
	int fd = open(path, O_RDONLY), w, h, sub, space;
	if (fd < 0 || fstat(fd, &st)) die("can't open", path);
	room(&file, &file_room, st.st_size);
	if (read(fd, file, st.st_size) != st.st_size) die("can't read", path);
	close(fd);
	if (tjDecompressHeader3(tj, file, st.st_size, &w, &h, &sub, &space)) die(tjGetErrorStr2(tj), path);
	int format = space == TJCS_CMYK || space == TJCS_YCCK ? TJPF_CMYK : TJPF_RGB;
	room(&rgb, &rgb_room, (size_t)w * h * tjPixelSize[format]);
	if (tjDecompress2(tj, file, st.st_size, rgb, w, 0, h, format, 0) && tjGetErrorCode(tj) == TJERR_FATAL)
		die(tjGetErrorStr2(tj), path);
}

int main(int argc, char **argv) {
	if (argc != 5) die("usage: tjdec LIST PART PARTS IMAGES", "");
	int part = atoi(argv[2]), parts = atoi(argv[3]), images = atoi(argv[4]), lines = 0, mine = 0;
	char **path = malloc(sizeof *path * (images + 1)), line[4096];
	FILE *f = fopen(argv[1], "r");
	if (!f || !path) die("can't open", argv[1]);
	for (; lines < images && fgets(line, sizeof line, f); lines++)
		if (lines % parts == part) {
			line[strcspn(line, "\t\n")] = 0;
			if (!(path[mine++] = strdup(line))) die("no memory", "");
		}
	tjhandle tj = tjInitDecompress();
	for (int i = 0; i < mine && i < 200; i++) decode(tj, path[i]);
	printf("ready\n");
	fflush(stdout);
	if (!fgets(line, sizeof line, stdin)) return 1;
	clock_t start = clock();
	for (int i = 0; i < mine; i++) decode(tj, path[i]);
	printf("done %d %f\n", mine, (double)(clock() - start) / CLOCKS_PER_SEC);
	return 0;
}
