/* omp.h: what FAISS's headers use of OpenMP, with libgomp's sizes; openmp.cpp defines it. */
#ifndef FAISS_SHIM_OMP_H
#define FAISS_SHIM_OMP_H

typedef struct omp_lock_t {
  int state;
} omp_lock_t;

extern "C" {
void omp_init_lock(omp_lock_t *lock);
void omp_destroy_lock(omp_lock_t *lock);
void omp_set_lock(omp_lock_t *lock);
void omp_unset_lock(omp_lock_t *lock);
int omp_get_max_threads(void);
int omp_get_num_threads(void);
int omp_get_thread_num(void);
}

#endif
