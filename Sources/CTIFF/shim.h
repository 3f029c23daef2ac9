#include <tiffio.h>

/* libtiff reads fields through variable arguments, which Swift cannot call. */
static inline void csystem_tiff_sides(TIFF *file, uint32_t *width, uint32_t *height) {
  TIFFGetField(file, TIFFTAG_IMAGEWIDTH, width);
  TIFFGetField(file, TIFFTAG_IMAGELENGTH, height);
}
static inline int csystem_tiff_orientation(TIFF *file) {
  uint16_t value = 1;
  return TIFFGetField(file, TIFFTAG_ORIENTATION, &value) ? value : 1;
}
static inline int csystem_tiff_is_gray(TIFF *file) {
  uint16_t value = 0;
  return TIFFGetField(file, TIFFTAG_PHOTOMETRIC, &value) && value <= PHOTOMETRIC_MINISBLACK;
}
static inline int csystem_tiff_has_alpha(TIFF *file) {
  uint16_t count = 0, *kinds = 0;
  return TIFFGetField(file, TIFFTAG_EXTRASAMPLES, &count, &kinds) && count > 0 && kinds[0] != EXTRASAMPLE_UNSPECIFIED;
}

/* libtiff prints no errors and warnings. Swift has no va_list as a parameter on arm64. */
static inline int csystem_tiff_handled(TIFF *file, void *user, const char *module, const char *format, va_list values) {
  (void)file, (void)user, (void)module, (void)format, (void)values;
  return 1;
}
static inline void csystem_tiff_silence(TIFFOpenOptions *options) {
  TIFFOpenOptionsSetErrorHandlerExtR(options, csystem_tiff_handled, NULL);
  TIFFOpenOptionsSetWarningHandlerExtR(options, csystem_tiff_handled, NULL);
}
