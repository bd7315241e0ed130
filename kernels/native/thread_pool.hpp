// A small pool of its own: workers sleep between calls, so that they never compete with another
// runtime's threads. Work is cut into numbered tasks; which thread takes which task never changes a
// result, because no two tasks write the same element.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace granite {

class ThreadPool {
 public:
  explicit ThreadPool(int num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls task(i) for every i in [0, num_tasks); returns when all are done.
  template <typename Task>
  void run(int64_t num_tasks, Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    if (workers_.empty() || num_tasks <= 1) {
      for (int64_t i = 0; i < num_tasks; ++i) task(i);
      return;
    }
    dispatch(num_tasks, [](void* context, int64_t i) { (*static_cast<Plain*>(context))(i); },
             const_cast<void*>(static_cast<const void*>(&task)));
  }

  // task(i) for i in [0, count), in a few ranges for each thread: neighbours follow each other on one.
  template <typename Task>
  void run_ranges(int64_t count, int64_t ranges_per_thread, Task&& task) {
    const int64_t ranges = std::min(count, num_threads() * ranges_per_thread);
    run(ranges, [&](int64_t range) {
      for (int64_t i = range * count / ranges; i < (range + 1) * count / ranges; ++i) task(i);
    });
  }

 private:
  using Call = void (*)(void*, int64_t);

  void dispatch(int64_t num_tasks, Call call, void* context);
  void take_tasks();
  void work();

  std::vector<std::thread> workers_;
  std::atomic<uint32_t> generation_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> next_task_{0};
  int64_t num_tasks_ = 0;
  Call call_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace granite
