#include "server/event_bridge.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace hearth::server {

struct EventBridge::Batch {
  struct Entry {
    EventReceiver* receiver;
    ServeEvent event;       // its text, logprobs, completion and error lie below
    size_t text_begin = 0, text_size = 0;
    size_t logprobs_begin = 0, logprobs_size = 0;
    int32_t ending = -1;
  };
  struct Ending {
    Completion completion;
    Error error;
  };
  std::vector<Entry> entries;
  std::string text;
  std::vector<TokenLogprobs> logprobs;
  std::vector<Ending> endings;

  void clear() { entries.clear(), text.clear(), logprobs.clear(), endings.clear(); }
};

class EventBridge::Sink : public ServeSink {
 public:
  Sink(EventBridge& bridge, EventReceiver& receiver) : bridge_(bridge), receiver_(receiver) {}
  void on_event(const ServeEvent& event) override { bridge_.take(receiver_, event); }
  void on_step_end() override { bridge_.send(); }

 private:
  EventBridge& bridge_;
  EventReceiver& receiver_;
};

EventBridge::EventBridge(asio::io_context& io) : io_(io) {}

EventBridge::~EventBridge() { delete spare_.load(); }

std::shared_ptr<ServeSink> EventBridge::sink(EventReceiver& receiver) {
  return std::make_shared<Sink>(*this, receiver);
}

void EventBridge::take(EventReceiver& receiver, const ServeEvent& event) {
  if (filling_ == nullptr) filling_.reset(spare_.exchange(nullptr));
  if (filling_ == nullptr) filling_ = std::make_unique<Batch>();
  Batch& batch = *filling_;
  Batch::Entry entry{.receiver = &receiver, .event = event, .text_begin = batch.text.size(),
                     .text_size = event.text.size(), .logprobs_begin = batch.logprobs.size(),
                     .logprobs_size = event.logprobs.size()};
  batch.text += event.text;
  batch.logprobs.insert(batch.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
  if (event.completion != nullptr || event.error != nullptr) {
    entry.ending = static_cast<int32_t>(batch.endings.size());
    Batch::Ending& ending = batch.endings.emplace_back();
    if (event.completion != nullptr) ending.completion = std::move(*event.completion);
    if (event.error != nullptr) ending.error = *event.error;
  }
  batch.entries.push_back(entry);
}

void EventBridge::send() {
  if (filling_ == nullptr) return;
  asio::post(io_, [this, batch = std::move(filling_)]() mutable { deliver(std::move(batch)); });
}

void EventBridge::deliver(std::unique_ptr<Batch> batch) {
  for (Batch::Entry& entry : batch->entries) {
    ServeEvent& event = entry.event;
    event.text = std::string_view(batch->text).substr(entry.text_begin, entry.text_size);
    event.logprobs = std::span(batch->logprobs).subspan(entry.logprobs_begin, entry.logprobs_size);
    if (entry.ending >= 0) {
      Batch::Ending& ending = batch->endings[static_cast<size_t>(entry.ending)];
      if (event.completion != nullptr) event.completion = &ending.completion;
      if (event.error != nullptr) event.error = &ending.error;
    }
    entry.receiver->deliver(event);
  }
  batch->clear();
  delete spare_.exchange(batch.release());
}

}  // namespace hearth::server
