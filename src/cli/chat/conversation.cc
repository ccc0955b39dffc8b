#include "cli/chat/conversation.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "cli/chat/answer_view.h"
#include "cli/terminal.h"
#include "registry/parameters.h"

namespace hearth {
namespace {

std::atomic<bool> interrupt_flag{false};
int wake_pipe[2] = {-1, -1};  // a byte for each Ctrl-C: waiting for a line must not miss one

void on_interrupt(int) {
  const int error = errno;
  interrupt_flag.store(true, std::memory_order_relaxed);
  [[maybe_unused]] const ssize_t put = write(wake_pipe[1], "", 1);
  errno = error;
}

Json answer_json(const GivenAnswer& answer, const std::string& text) {
  return Json::Object{{"text", text},
                      {"finish_reason", answer.finish_reason},
                      {"timings", answer.timings ? to_json(*answer.timings) : Json()}};
}

}  // namespace

Result<void> catch_interrupts() {
  if (pipe2(wake_pipe, O_NONBLOCK | O_CLOEXEC) != 0) return fail(Code::kIo, "cannot make a pipe");
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  if (sigaction(SIGINT, &action, nullptr) != 0) return fail(Code::kIo, "cannot catch Ctrl-C");
  return {};
}

bool interrupted() { return interrupt_flag.load(); }
int interrupt_descriptor() { return wake_pipe[0]; }

void clear_interrupts() {
  char bytes[64];
  while (read(wake_pipe[0], bytes, sizeof bytes) > 0) continue;
  interrupt_flag.store(false);
}

Result<std::unique_ptr<Conversation>> Conversation::open(const std::string& model,
                                                         const Options& options) {
  std::unique_ptr<Conversation> made(new Conversation());
  made->library_ = TRY(library_to_run(model, options));
  made->answerer_ = TRY(made->library_->open(model, options));
  const AnswererInfo& info = made->answerer_->info();
  if (options.has("think")) made->think = options.text("think") == "on";
  made->parameters_ = Options(parameter_rows());
  const std::string system = options.text("system", info.system);
  if (!system.empty()) made->messages_.push_back({"system", system});
  for (const SeedMessage& seed : info.messages)
    made->messages_.push_back({seed.role, seed.content});
  made->own_messages_ = made->messages_.size();
  made->verbose = options.flag("verbose");
  made->json = options.flag("json");
  return made;
}

Result<void> Conversation::ask(std::string text, std::string begin) {
  const size_t before = messages_.size();
  std::string question;
  for (const Attachment& file : attachments_)
    question += fmt::format("{}:\n```\n{}{}```\n\n", file.name, file.text,
                            file.text.ends_with('\n') ? "" : "\n");
  messages_.push_back({"user", question + text});
  if (!begin.empty()) messages_.push_back({"assistant", std::move(begin)});
  auto answered = answer();
  if (!answered) messages_.resize(before);
  else attachments_.clear();
  return answered;
}

// To the last question, or on from where the last answer ends.
Result<void> Conversation::answer() {
  std::optional<AnswerView> view;
  std::optional<Error> write_error;
  std::string begun, waiting;  // what the answer goes on from: shown once the prompt is read
  AnswerEvents events;
  events.cancel = &interrupt_flag;
  events.on_begin = [&](bool thinking, const std::string& text) {
    view.emplace(stdout_is_styled() && !json, thinking);
    begun = waiting = text;
  };
  events.on_prompt = [&](int64_t done, int64_t total) { view->prompt(done, total); };
  auto show = [&](std::string_view piece) {
    auto written = view->text(std::exchange(waiting, {}).append(piece));
    if (written || write_error) return;
    write_error = written.error();
    interrupt_flag.store(true);  // nobody reads: do not compute the rest
  };
  if (!json) events.on_text = show;
  auto answer = answerer_->answer({.messages = messages_, .think = think}, events);
  if (!json && view) {
    if (answer && !waiting.empty()) show({});
    auto written = view->finish();
    if (!written && !write_error) write_error = written.error();
  }
  if (!answer) return std::unexpected(answer.error());
  if (write_error) return std::unexpected(*write_error);
  return keep(*answer, begun + answer->text);
}

Result<void> Conversation::keep(const GivenAnswer& answer, std::string text) {
  if (json) TRY(print("{}\n", answer_json(answer, text).dump()));
  if (continues()) messages_.pop_back();
  messages_.push_back({"assistant", std::move(text)});
  write_err(answer.warning);
  if (verbose && answer.timings) write_err(statistics(*answer.timings));
  return {};
}

Result<void> Conversation::go_on() {
  if (messages_.size() <= own_messages_ || !continues())
    return fail(Code::kNotFound, "there is no answer to go on with");
  return answer();
}

std::string Conversation::take_back() {
  if (messages_.size() > own_messages_ && messages_.back().role == "assistant")
    messages_.pop_back();
  if (messages_.size() <= own_messages_) return {};
  std::string question = std::move(messages_.back().content);
  messages_.pop_back();
  return question;
}

// With another seed: the same one would give the same answer.
Result<void> Conversation::retry() {
  std::string question = take_back();
  if (question.empty()) return fail(Code::kNotFound, "there is no question to ask again");
  answerer_->reseed();
  messages_.push_back({"user", std::move(question)});
  auto answered = answer();
  if (!answered) messages_.pop_back();
  return answered;
}

void Conversation::clear() {
  messages_.resize(own_messages_);
  attachments_.clear();
}

std::string Conversation::system_text() const {
  const bool there = !messages_.empty() && messages_.front().role == "system";
  return there ? messages_.front().content : std::string();
}

void Conversation::set_system(std::string text) {
  const bool there = !system_text().empty();
  if (there && text.empty()) messages_.erase(messages_.begin()), --own_messages_;
  else if (there) messages_.front().content = std::move(text);
  else if (!text.empty())
    messages_.insert(messages_.begin(), {"system", std::move(text)}), ++own_messages_;
}

Result<void> Conversation::set_parameter(std::string_view name, std::string_view value) {
  TRY(parameters_.set(name, value));
  return answerer_->set_parameters(parameters_, name);
}

void Conversation::attach(std::string name, std::string text) {
  attachments_.push_back({std::move(name), std::move(text)});
}

std::string Conversation::last_answer() const {
  for (size_t i = messages_.size(); i > own_messages_; --i)
    if (messages_[i - 1].role == "assistant") return messages_[i - 1].content;
  return {};
}

}  // namespace hearth
