// EventBridge: from the engine's thread to the server's. The events of a step are copied into one
// object, which crosses over as a whole and comes back to be used again: a step wakes the server
// once, and nothing is allocated for a token.
#pragma once

#include <boost/asio/io_context.hpp>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/serving/request.h"
#include "server/http.h"

namespace hearth::server {

// Gets events on the server's thread. Lives until its last one (kDone or kError) was delivered.
class EventReceiver {
 public:
  virtual ~EventReceiver() = default;
  virtual void deliver(const ServeEvent& event) = 0;
};

class EventBridge {
 public:
  explicit EventBridge(asio::io_context& io);
  ~EventBridge();

  // What the engine is given for requests whose events `receiver` is to get.
  std::shared_ptr<ServeSink> sink(EventReceiver& receiver);

 private:
  class Sink;
  struct Batch;
  void take(EventReceiver& receiver, const ServeEvent& event);  // the engine's thread
  void send();                                                  // the engine's thread
  void deliver(std::unique_ptr<Batch> batch);                   // the server's thread

  asio::io_context& io_;
  std::unique_ptr<Batch> filling_;
  std::atomic<Batch*> spare_{nullptr};
};

}  // namespace hearth::server
