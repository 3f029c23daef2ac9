/* Ops in plain loops and double precision, one item at a time, for op_cases.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clip_plugin.h"

/* A value of one item: rows x width; a grid's rows are its pixels. */
typedef struct {
  size_t rows, width, height, columns; /* the last two are the sides of a grid */
  double *data;
} plain;

/* The values of the parameter whose name ends with this, after the tower's scope. */
static const float *parameter(const char *name, const char *suffix);

/* Values live until plain_free. */
static double *plain_memory[256];
static size_t plain_count;
static plain plain_make(size_t rows, size_t width, size_t height, size_t columns) {
  plain y = {rows, width, height, columns, calloc(rows * width, sizeof(double))};
  if (plain_count < sizeof plain_memory / sizeof *plain_memory) plain_memory[plain_count++] = y.data;
  return y;
}
static void plain_free(void) {
  while (plain_count > 0) free(plain_memory[--plain_count]);
}

/* `end` is the padding after the grid. */
static plain plain_conv_to(plain x, const char *name, size_t features, size_t kernel, size_t stride, size_t padding, size_t end,
                           size_t dilation, size_t groups) {
  const float *weight = parameter(name, ".weight"), *bias = parameter(name, ".bias");
  size_t height = (x.height + padding + end - dilation * (kernel - 1) - 1) / stride + 1;
  size_t columns = (x.columns + padding + end - dilation * (kernel - 1) - 1) / stride + 1;
  size_t depth = x.width / groups;
  plain y = plain_make(height * columns, features, height, columns);
  for (size_t row = 0; row < y.rows; row++)
    for (size_t f = 0; f < features; f++) {
      double sum = bias ? bias[f] : 0;
      size_t first = f / (features / groups) * depth;
      for (size_t ky = 0; ky < kernel; ky++)
        for (size_t kx = 0; kx < kernel; kx++) {
          size_t top = row / columns * stride + ky * dilation - padding, left = row % columns * stride + kx * dilation - padding;
          if (top >= x.height || left >= x.columns) continue; /* below 0 wraps around */
          for (size_t c = 0; c < depth; c++)
            sum += weight[((f * depth + c) * kernel + ky) * kernel + kx] * x.data[(top * x.columns + left) * x.width + first + c];
        }
      y.data[row * features + f] = sum;
    }
  return y;
}
static plain plain_conv(plain x, const char *name, size_t features, size_t kernel, size_t stride, size_t padding, size_t dilation,
                        size_t groups) {
  return plain_conv_to(x, name, features, kernel, stride, padding, padding, dilation, groups);
}

static plain plain_linear(plain x, const char *name, size_t features) {
  const float *weight = parameter(name, ".weight"), *bias = parameter(name, ".bias");
  plain y = plain_make(x.rows, features, x.height, x.columns);
  for (size_t i = 0; i < y.rows * features; i++) {
    y.data[i] = bias ? bias[i % features] : 0;
    for (size_t c = 0; c < x.width; c++) y.data[i] += weight[i % features * x.width + c] * x.data[i / features * x.width + c];
  }
  return y;
}

static plain plain_layer_norm(plain x, const char *name, double epsilon) {
  const float *weight = parameter(name, ".weight"), *bias = parameter(name, ".bias");
  plain y = plain_make(x.rows, x.width, x.height, x.columns);
  for (size_t row = 0; row < x.rows; row++) {
    const double *line = x.data + row * x.width;
    double mean = 0, variance = 0;
    for (size_t c = 0; c < x.width; c++) mean += line[c] / (double)x.width;
    for (size_t c = 0; c < x.width; c++) variance += (line[c] - mean) * (line[c] - mean) / (double)x.width;
    for (size_t c = 0; c < x.width; c++)
      y.data[row * x.width + c] = (line[c] - mean) / sqrt(variance + epsilon) * weight[c] + bias[c];
  }
  return y;
}

static plain plain_rms_norm(plain x, const char *name, double epsilon) {
  const float *weight = parameter(name, ".weight");
  plain y = plain_make(x.rows, x.width, x.height, x.columns);
  for (size_t row = 0; row < x.rows; row++) {
    double square = 0;
    for (size_t c = 0; c < x.width; c++) square += x.data[row * x.width + c] * x.data[row * x.width + c] / (double)x.width;
    for (size_t c = 0; c < x.width; c++) y.data[row * x.width + c] = x.data[row * x.width + c] / sqrt(square + epsilon) * weight[c];
  }
  return y;
}

/* Each of `heads` parts of a row by itself, with weights of offset + "<name>.weight"; of layer norms without bias `mean` is 1. */
static plain plain_head_norm(plain x, const char *name, size_t heads, double offset, int mean, double epsilon) {
  const float *weight = parameter(name, ".weight");
  size_t width = x.width / heads;
  plain y = plain_make(x.rows, x.width, x.height, x.columns);
  for (size_t i = 0; i < x.rows * heads; i++) {
    const double *line = x.data + i * width;
    double centre = 0, square = 0;
    for (size_t c = 0; c < width && mean; c++) centre += line[c] / (double)width;
    for (size_t c = 0; c < width; c++) square += (line[c] - centre) * (line[c] - centre) / (double)width;
    for (size_t c = 0; c < width; c++) y.data[i * width + c] = (line[c] - centre) / sqrt(square + epsilon) * (offset + weight[c]);
  }
  return y;
}

static plain plain_batch_norm(plain x, const char *name, double epsilon) {
  const float *weight = parameter(name, ".weight"), *bias = parameter(name, ".bias");
  const float *mean = parameter(name, ".running_mean"), *variance = parameter(name, ".running_var");
  plain y = plain_make(x.rows, x.width, x.height, x.columns);
  for (size_t i = 0; i < x.rows * x.width; i++) {
    size_t c = i % x.width;
    y.data[i] = (x.data[i] - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c];
  }
  return y;
}

static double plain_activation(double x, clip_activation activation) {
  switch (activation) {
    case CLIP_RELU: return x > 0 ? x : 0;
    case CLIP_GELU: return x * 0.5 * erfc(-x / sqrt(2));
    case CLIP_QUICK_GELU: return x / (1 + exp(-1.702 * x));
    case CLIP_GELU_TANH: return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case CLIP_SIGMOID: return 1 / (1 + exp(-x));
    case CLIP_SILU: return x / (1 + exp(-x));
    case CLIP_TANH: return tanh(x);
    default: return x;
  }
}
static plain plain_activate(plain x, clip_activation activation) {
  plain y = plain_make(x.rows, x.width, x.height, x.columns);
  for (size_t i = 0; i < x.rows * x.width; i++) y.data[i] = plain_activation(x.data[i], activation);
  return y;
}

/* kind: 0 the mean, 1 the maximum, 2 the mean without padding. */
static plain plain_pool(plain x, size_t kernel, size_t stride, size_t padding, int kind) {
  size_t height = (x.height + 2 * padding - kernel) / stride + 1, columns = (x.columns + 2 * padding - kernel) / stride + 1;
  plain y = plain_make(height * columns, x.width, height, columns);
  for (size_t row = 0; row < y.rows; row++)
    for (size_t c = 0; c < x.width; c++) {
      double sum = 0, most = -INFINITY, inside = 0;
      for (size_t k = 0; k < kernel * kernel; k++) {
        size_t top = row / columns * stride + k / kernel - padding, left = row % columns * stride + k % kernel - padding;
        if (top >= x.height || left >= x.columns) continue; /* below 0 wraps around */
        double value = x.data[(top * x.columns + left) * x.width + c];
        sum += value, most = fmax(most, value), inside++;
      }
      y.data[row * x.width + c] = kind == 1 ? most : sum / (kind == 0 ? (double)(kernel * kernel) : inside);
    }
  return y;
}

/* The two places between which the centre of a place lies, and the share of the second. */
static double plain_neighbours(size_t place, size_t from, size_t to, int is_linear, size_t *low, size_t *high) {
  double at = is_linear ? fmax(0, ((double)place + 0.5) * (double)from / (double)to - 0.5) : floor((double)place * (double)from / (double)to + 1e-9);
  *low = (size_t)at < from - 1 ? (size_t)at : from - 1;
  *high = is_linear && *low + 1 < from ? *low + 1 : *low;
  return fmin(1, at - (double)*low);
}
static plain plain_resize(plain x, size_t height, size_t columns, int is_linear) {
  plain y = plain_make(height * columns, x.width, height, columns);
  for (size_t row = 0; row < y.rows; row++) {
    size_t top, bottom, left, right;
    double v = plain_neighbours(row / columns, x.height, height, is_linear, &top, &bottom);
    double h = plain_neighbours(row % columns, x.columns, columns, is_linear, &left, &right);
    for (size_t c = 0; c < x.width; c++)
      y.data[row * x.width + c] = (1 - v) * ((1 - h) * x.data[(top * x.columns + left) * x.width + c] + h * x.data[(top * x.columns + right) * x.width + c]) +
                                  v * ((1 - h) * x.data[(bottom * x.columns + left) * x.width + c] + h * x.data[(bottom * x.columns + right) * x.width + c]);
  }
  return y;
}

/* kind: 0 the sum, 1 the product, 2 the difference; y may be one row or one column. */
static plain plain_combine(plain x, plain y, int kind) {
  plain z = plain_make(x.rows, x.width, x.height, x.columns);
  for (size_t row = 0; row < x.rows; row++)
    for (size_t c = 0; c < x.width; c++) {
      double a = x.data[row * x.width + c], b = y.data[(y.rows == 1 ? 0 : row) * y.width + (y.width == 1 ? 0 : c)];
      z.data[row * x.width + c] = kind == 1 ? a * b : kind == 0 ? a + b : a - b;
    }
  return z;
}

static plain plain_concat(plain x, plain y) {
  plain z = plain_make(x.rows, x.width + y.width, x.height, x.columns);
  for (size_t i = 0; i < z.rows * z.width; i++) {
    size_t row = i / z.width, c = i % z.width;
    z.data[i] = c < x.width ? x.data[row * x.width + c] : y.data[row * y.width + c - x.width];
  }
  return z;
}

/* The weighted mean of two, by the softmax of a parameter; their mean without one. */
static plain plain_mix(plain x, plain y, const char *name) {
  double share = 0.5;
  if (name) share = 1 / (1 + exp((double)parameter(name, "")[1] - (double)parameter(name, "")[0]));
  plain z = plain_make(x.rows, x.width, x.height, x.columns);
  for (size_t i = 0; i < x.rows * x.width; i++) z.data[i] = share * x.data[i] + (1 - share) * y.data[i];
  return z;
}

static plain plain_reduce_rows(plain x, int is_max) {
  plain y = plain_make(1, x.width, 0, 0);
  for (size_t c = 0; c < x.width; c++) {
    double sum = 0, most = -INFINITY;
    for (size_t row = 0; row < x.rows; row++) sum += x.data[row * x.width + c], most = fmax(most, x.data[row * x.width + c]);
    y.data[c] = is_max ? most : sum / (double)x.rows;
  }
  return y;
}
static plain plain_reduce_columns(plain x, int is_max) {
  plain y = plain_make(x.rows, 1, x.height, x.columns);
  for (size_t row = 0; row < x.rows; row++) {
    double sum = 0, most = -INFINITY;
    for (size_t c = 0; c < x.width; c++) sum += x.data[row * x.width + c], most = fmax(most, x.data[row * x.width + c]);
    y.data[row] = is_max ? most : sum / (double)x.width;
  }
  return y;
}

static plain plain_attention(plain q, plain k, plain v, size_t heads, int causal) {
  size_t depth = q.width / heads;
  plain y = plain_make(q.rows, q.width, 0, 0);
  for (size_t h = 0; h < heads; h++)
    for (size_t row = 0; row < q.rows; row++) {
      double scores[128], sum = 0;
      size_t seen = causal ? row + 1 : k.rows;
      for (size_t key = 0; key < seen; key++) {
        double dot = 0;
        for (size_t c = h * depth; c < (h + 1) * depth; c++) dot += q.data[row * q.width + c] * k.data[key * q.width + c];
        sum += scores[key] = exp(dot / sqrt((double)depth));
      }
      for (size_t key = 0; key < seen; key++)
        for (size_t c = h * depth; c < (h + 1) * depth; c++) y.data[row * q.width + c] += scores[key] / sum * v.data[key * q.width + c];
    }
  return y;
}

/* The bucket of a key `offset` rows after the query, of `rows` buckets. */
static size_t plain_bucket(long offset, size_t rows, long distance, int causal) {
  long buckets = causal ? (long)rows : (long)rows / 2, exact = buckets / 2, far = causal ? (offset < 0 ? -offset : 0) : labs(offset);
  size_t start = !causal && offset > 0 ? (size_t)buckets : 0;
  if (far < exact) return start + (size_t)far;
  long bucket = exact + (long)(log((double)far / (double)exact) / log((double)distance / (double)exact) * (double)(buckets - exact) + 1e-9);
  return start + (size_t)(bucket < buckets ? bucket : buckets - 1);
}
/* The bias is a parameter: of buckets x heads, or a row for each query. */
static plain plain_attention_with(plain q, plain k, plain v, const char *bias, size_t bias_rows, clip_attention_options o) {
  size_t depth = q.width / o.heads, group = o.kv_heads ? o.heads / o.kv_heads : 1;
  double scale = o.scale != 0 ? o.scale : 1 / sqrt((double)depth);
  int causal = (o.flags & CLIP_CAUSAL) != 0;
  plain y = plain_make(q.rows, q.width, 0, 0);
  for (size_t h = 0; h < o.heads; h++)
    for (size_t row = 0; row < q.rows; row++) {
      double scores[128] = {0}, sum = 0;
      for (size_t key = 0; key < k.rows; key++) {
        long offset = (long)key - (long)row;
        if ((causal && offset > 0) || (o.window && labs(offset) > o.window)) continue;
        double dot = 0;
        for (size_t c = 0; c < depth; c++) dot += q.data[row * q.width + h * depth + c] * k.data[key * k.width + h / group * depth + c];
        dot *= scale;
        if (bias && o.bias_distance) dot += parameter(bias, "")[plain_bucket(offset, bias_rows, o.bias_distance, causal) * o.heads + h];
        else if (bias) dot += parameter(bias, "")[(row * o.heads + h) * k.rows + key];
        sum += scores[key] = exp(dot);
      }
      for (size_t key = 0; key < k.rows; key++)
        for (size_t c = 0; c < depth; c++)
          y.data[row * q.width + h * depth + c] += scores[key] / sum * v.data[key * k.width + h / group * depth + c];
    }
  return y;
}
/* Angles of position first + row as clip_sinusoids has them. */
static plain plain_sinusoids(size_t rows, clip_sinusoids o) {
  size_t pairs = o.width / 2;
  plain y = plain_make(rows, o.width, 0, 0);
  for (size_t row = 0; row < rows; row++)
    for (size_t j = 0; j < pairs; j++) {
      double angle = (double)(o.first + row) * pow(o.theta, -(double)j / (double)(o.spread ? pairs - 1 : pairs)) / (o.factor != 0 ? o.factor : 1);
      y.data[row * o.width + (o.spread ? pairs : 0) + j] = cos(angle);
      y.data[row * o.width + (o.spread ? 0 : pairs) + j] = sin(angle);
    }
  return y;
}
static plain plain_rotary(plain x, plain angles, size_t heads, int interleaved) {
  size_t depth = x.width / heads, pairs = angles.width / 2;
  plain y = plain_make(x.rows, x.width, 0, 0);
  memcpy(y.data, x.data, x.rows * x.width * sizeof(double));
  for (size_t i = 0; i < x.rows * heads; i++)
    for (size_t j = 0; j < pairs; j++) {
      size_t a = i * depth + (interleaved ? 2 * j : j), c = interleaved ? a + 1 : a + pairs;
      double cosine = angles.data[i / heads * angles.width + j], sine = angles.data[i / heads * angles.width + pairs + j];
      y.data[a] = x.data[a] * cosine - x.data[c] * sine, y.data[c] = x.data[c] * cosine + x.data[a] * sine;
    }
  return y;
}
/* Scores of content, of content with positions (c2p) and of positions with content (p2c), by the offsets' buckets. */
static plain plain_disentangled(plain q, plain k, plain v, const plain *c2p, const plain *p2c, size_t heads, double scale, long span, long distance) {
  size_t depth = q.width / heads;
  plain y = plain_make(q.rows, q.width, 0, 0);
  for (size_t h = 0; h < heads; h++)
    for (size_t row = 0; row < q.rows; row++) {
      double scores[128], sum = 0;
      for (size_t key = 0; key < k.rows; key++) {
        long offset = (long)row - (long)key, far = labs(offset), middle = span / 2;
        if (distance && far > middle) {
          far = middle + (long)ceil(log((double)far / (double)middle) / log((double)(distance - 1) / (double)middle) * (double)(middle - 1) - 1e-9);
          offset = offset < 0 ? -far : far;
        }
        long bucket = offset + span < 0 ? 0 : offset + span > 2 * span - 1 ? 2 * span - 1 : offset + span;
        double dot = 0;
        for (size_t c = h * depth; c < (h + 1) * depth; c++) {
          double left = q.data[row * q.width + c], right = k.data[key * q.width + c];
          dot += left * right;
          if (c2p) dot += left * c2p->data[(size_t)bucket * q.width + c];
          if (p2c) dot += right * p2c->data[(size_t)bucket * q.width + c];
        }
        sum += scores[key] = exp(dot * scale);
      }
      for (size_t key = 0; key < k.rows; key++)
        for (size_t c = h * depth; c < (h + 1) * depth; c++) y.data[row * q.width + c] += scores[key] / sum * v.data[key * q.width + c];
    }
  return y;
}
static plain plain_scaled(plain x, double factor) {
  plain y = plain_make(x.rows, x.width, 0, 0);
  for (size_t i = 0; i < x.rows * x.width; i++) y.data[i] = x.data[i] * factor;
  return y;
}
static plain plain_table(const char *name, size_t rows, size_t width) {
  plain y = plain_make(rows, width, 0, 0);
  for (size_t i = 0; i < rows * width; i++) y.data[i] = parameter(name, "")[i];
  return y;
}

static plain plain_table_row(const char *name, size_t row, size_t width) {
  plain y = plain_make(1, width, 0, 0);
  for (size_t c = 0; c < width; c++) y.data[c] = parameter(name, "")[row * width + c];
  return y;
}
static plain plain_prepend(plain x, const char *name) {
  plain y = plain_make(x.rows + 1, x.width, 0, 0);
  for (size_t c = 0; c < x.width; c++) y.data[c] = parameter(name, "")[c];
  memcpy(y.data + x.width, x.data, x.rows * x.width * sizeof(double));
  return y;
}
static plain plain_positions(plain x, const char *name) {
  plain y = plain_make(x.rows, x.width, 0, 0);
  for (size_t i = 0; i < x.rows * x.width; i++) y.data[i] = x.data[i] + parameter(name, "")[i];
  return y;
}

static plain plain_response_norm(plain x, const char *name, double epsilon) {
  const float *weight = parameter(name, ".weight"), *bias = parameter(name, ".bias");
  plain norms = plain_make(1, x.width, 0, 0), y = plain_make(x.rows, x.width, x.height, x.columns);
  double mean = 0;
  for (size_t c = 0; c < x.width; c++) {
    for (size_t row = 0; row < x.rows; row++) norms.data[c] += pow(x.data[row * x.width + c], 2);
    norms.data[c] = sqrt(norms.data[c]), mean += norms.data[c] / (double)x.width;
  }
  for (size_t i = 0; i < x.rows * x.width; i++) {
    size_t c = i % x.width;
    y.data[i] = x.data[i] + weight[c] * x.data[i] * norms.data[c] / (mean + epsilon) + bias[c];
  }
  return y;
}

static plain plain_normalize_heads(plain x, const char *name, size_t heads) {
  plain y = plain_make(x.rows, x.width, x.height, x.columns);
  size_t width = x.width / heads;
  for (size_t i = 0; i < x.rows * heads; i++) {
    double square = 0, factor = name ? exp(fmin(parameter(name, "")[i % heads], log(100))) : 1;
    for (size_t c = 0; c < width; c++) square += pow(x.data[i * width + c], 2);
    for (size_t c = 0; c < width; c++) y.data[i * width + c] = x.data[i * width + c] / sqrt(square) * factor;
  }
  return y;
}

#include "op_reference_windows.h"
