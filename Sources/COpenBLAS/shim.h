/* OpenBLAS's product of matrices, as <cblas.h> has it: C = alpha A B + beta C, with integers of 32 bits. */
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);
enum { clip_blas_row_major = 101, clip_blas_as_is = 111, clip_blas_transposed = 112 };
