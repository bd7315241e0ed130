#include "thread_pool.hpp"

namespace granite {

namespace {
// Between the operations of one step the next call comes within microseconds: worth a short spin.
// Longer waits sleep in the kernel and leave the core to others.
constexpr int kSpins = 2000;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

template <typename T>
void wait_while_equal(const std::atomic<T>& value, T old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}
}  // namespace

ThreadPool::ThreadPool(int num_threads) {
  for (int i = 1; i < num_threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_acq_rel);
  generation_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::dispatch(int64_t num_tasks, Call call, void* context) {
  num_tasks_ = num_tasks;
  call_ = call;
  context_ = context;
  next_task_.store(0, std::memory_order_relaxed);
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_acq_rel);
  generation_.notify_all();
  take_tasks();
  for (int left = busy_.load(std::memory_order_acquire); left != 0;
       left = busy_.load(std::memory_order_acquire)) {
    wait_while_equal(busy_, left);
  }
}

void ThreadPool::take_tasks() {
  for (int64_t i = next_task_.fetch_add(1, std::memory_order_relaxed); i < num_tasks_;
       i = next_task_.fetch_add(1, std::memory_order_relaxed)) {
    call_(context_, i);
  }
}

void ThreadPool::work() {
  uint32_t seen = 0;
  while (true) {
    wait_while_equal(generation_, seen);
    const uint32_t now = generation_.load(std::memory_order_acquire);
    if (now == seen) continue;
    seen = now;
    if (stopping_.load(std::memory_order_acquire)) return;
    take_tasks();
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) busy_.notify_all();
  }
}

}  // namespace granite
