/* The ops of windows of a grid in plain loops. Part of op_reference.h. */

static plain plain_patch_merging(plain x) {
  plain y = plain_make(x.rows / 4, x.width * 4, x.height / 2, x.columns / 2);
  for (size_t row = 0; row < y.rows; row++)
    for (size_t i = 0; i < y.width; i++) {
      size_t part = i / x.width, top = row / y.columns * 2 + part % 2, left = row % y.columns * 2 + part / 2;
      y.data[row * y.width + i] = x.data[(top * x.columns + left) * x.width + i % x.width];
    }
  return y;
}

/* The grid padded to whole windows and rolled, in either order. places: the pixel that each holds, or -1. */
static plain plain_rolled(plain x, clip_windows w, long *places) {
  size_t height = (w.height + w.window_height - 1) / w.window_height * w.window_height;
  size_t width = (w.width + w.window_width - 1) / w.window_width * w.window_width;
  plain y = plain_make(height * width, x.width, height, width);
  for (size_t i = 0; i < y.rows; i++) places[i] = -1;
  for (size_t top = 0; top < w.height; top++)
    for (size_t left = 0; left < w.width; left++) {
      size_t h = w.shifts_first ? w.height : height, v = w.shifts_first ? w.width : width;
      size_t to = (top + h - w.shift_height) % h * width + (left + v - w.shift_width) % v;
      places[to] = (long)(top * w.width + left);
      memcpy(y.data + to * x.width, x.data + (top * w.width + left) * x.width, x.width * sizeof(double));
    }
  return y;
}
/* The window of a place, and the place in it. */
static size_t plain_window(plain x, clip_windows w, size_t place, size_t *top, size_t *left) {
  size_t down = x.height / w.window_height, across = x.columns / w.window_width;
  size_t row = place / x.columns, column = place % x.columns;
  *top = w.dilated ? row / down : row % w.window_height, *left = w.dilated ? column / across : column % w.window_width;
  return w.dilated ? row % down * across + column % across : row / w.window_height * across + column / w.window_width;
}
static plain plain_windows(plain x, clip_windows w) {
  long places[256];
  plain rolled = plain_rolled(x, w, places), y = plain_make(rolled.rows, x.width, 0, 0);
  for (size_t place = 0; place < y.rows; place++) {
    size_t top, left, window = plain_window(rolled, w, place, &top, &left);
    memcpy(y.data + (window * w.window_height * w.window_width + top * w.window_width + left) * x.width,
           rolled.data + place * x.width, x.width * sizeof(double));
  }
  return y;
}
/* 0, 1 and 2 as Swin's mask has them: before the last window, its pixels that follow on, its pixels from the other edge. */
static size_t plain_region(size_t at, size_t side, size_t window, size_t shift) {
  return at < side - window || shift == 0 ? 0 : at < side - shift ? 1 : 2;
}
/* op_cases.h's in_windows, or its in_square where `trained` is 0: cosine attention with a bias made of offsets (in
 * pixels where it is negative), or of a table. */
static plain plain_in_windows(plain x, clip_windows w, double trained, double scale, double bias_scale) {
  long places[256];
  plain rolled = plain_rolled(x, w, places), y = plain_make(x.rows, x.width, x.height, x.columns);
  plain q = plain_linear(rolled, "q", x.width), k = plain_linear(rolled, "k", x.width), v = plain_linear(rolled, "v", x.width);
  if (trained != 0) q = plain_normalize_heads(q, "scale", 2), k = plain_normalize_heads(k, NULL, 2);
  size_t depth = x.width / 2;
  if (trained == 0) scale = 1 / sqrt((double)depth);
  for (size_t h = 0; h < 2; h++)
    for (size_t i = 0; i < rolled.rows; i++) {
      if (places[i] < 0) continue;
      double scores[256], sum = 0;
      size_t top, left, otop, oleft, window = plain_window(rolled, w, i, &top, &left);
      for (size_t j = 0; j < rolled.rows; j++) {
        scores[j] = 0;
        if (plain_window(rolled, w, j, &otop, &oleft) != window) continue;
        double dot = 0, bias;
        for (size_t c = h * depth; c < (h + 1) * depth; c++) dot += q.data[i * x.width + c] * k.data[j * x.width + c];
        double down = (double)top - (double)otop, across = (double)left - (double)oleft;
        if (trained != 0) {
          const float *weight = parameter("bias", ".weight") + 2 * h;
          double a = 8 * down / (trained - 1), b = 8 * across / (trained - 1);
          a = copysign(log2(fabs(a) + 1) / 3, a), b = copysign(log2(fabs(b) + 1) / 3, b);
          if (trained < 0) a = copysign(log(fabs(down) + 1), down), b = copysign(log(fabs(across) + 1), across);
          bias = 1 / (1 + exp(-(weight[0] * a + weight[1] * b + parameter("bias", ".bias")[h])));
        } else {
          bias = parameter("table", "")[(size_t)((down + w.window_height - 1) * (2 * w.window_width - 1) + across + w.window_width - 1) * 2 + h];
        }
        if (plain_region(i / rolled.columns, rolled.height, w.window_height, w.shift_height) !=
                plain_region(j / rolled.columns, rolled.height, w.window_height, w.shift_height) ||
            plain_region(i % rolled.columns, rolled.columns, w.window_width, w.shift_width) !=
                plain_region(j % rolled.columns, rolled.columns, w.window_width, w.shift_width))
          bias -= 100 / bias_scale;
        sum += scores[j] = exp(dot * scale + bias * bias_scale);
      }
      for (size_t j = 0; j < rolled.rows; j++)
        for (size_t c = h * depth; c < (h + 1) * depth; c++)
          y.data[(size_t)places[i] * x.width + c] += scores[j] / sum * v.data[j * x.width + c];
    }
  return y;
}
