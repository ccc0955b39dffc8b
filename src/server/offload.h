// offload: work that computes or waits for a disk, done by a worker so that the thread of input
// and output goes on with others.
//
//   Result<Model> model = co_await offload([path] { return open_model(path); });
//
// `work` runs on one of kWorkers threads of the io_context that the calling coroutine runs on;
// the coroutine goes on there afterwards, with what it returned or threw. Work that has begun is
// waited for when the io_context ends; work that has not is dropped.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "server/http.h"

namespace hearth::server {

constexpr size_t kWorkers = 2;

// The workers of an io_context, made with the first work for them.
class Workers : public asio::execution_context::service {
 public:
  using key_type = Workers;
  static inline asio::execution_context::id id;
  explicit Workers(asio::execution_context& owner) : service(owner) {}
  asio::thread_pool& pool() { return *pool_; }

 private:
  // Work that was dropped goes now: with it go its coroutines, for which Asio posts a last step to
  // the io_context; that must come before the end of the timers and sockets that they hold.
  void shutdown() override {
    pool_->stop();
    pool_->join();
    pool_.reset();
  }
  std::optional<asio::thread_pool> pool_{std::in_place, kWorkers};
};

template <class F>
Task<std::invoke_result_t<F&>> offload(F work) {
  using T = std::invoke_result_t<F&>;
  asio::any_io_executor here = co_await asio::this_coro::executor;
  auto& workers = asio::use_service<Workers>(asio::query(here, asio::execution::context));
  std::optional<std::conditional_t<std::is_void_v<T>, char, T>> value;
  std::exception_ptr thrown;
  auto begin = [&](auto handler) {
    auto back = asio::prefer(here, asio::execution::outstanding_work.tracked);
    asio::post(workers.pool(), [&, back, handler = std::move(handler)]() mutable {
      try {
        if constexpr (std::is_void_v<T>) {
          work();
        } else {
          value.emplace(work());
        }
      } catch (...) {
        thrown = std::current_exception();
      }
      asio::post(back, std::move(handler));
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(begin, asio::use_awaitable);
  if (thrown) std::rethrow_exception(thrown);
  if constexpr (!std::is_void_v<T>) co_return std::move(*value);
}

constexpr size_t kLongText = 32 << 10;  // bytes

// Work whose time grows with a text of `bytes`: done here where they are few, else by a worker.
template <class F>
Task<std::invoke_result_t<F&>> offload_long(size_t bytes, F work) {
  if (bytes <= kLongText) co_return work();
  co_return co_await offload(std::move(work));
}

}  // namespace hearth::server
