// Conversation: a model that answers, what was said, and how to ask it more.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/chat/answerer.h"
#include "cli/library.h"

namespace hearth {

// Ctrl-C while an answer runs stops the answer: the engine looks at the flag between layers, and
// where a server answers, the connection is closed.
Result<void> catch_interrupts();
bool interrupted();
void clear_interrupts();  // forgets what was pressed so far
int interrupt_descriptor();  // can be read once Ctrl-C was pressed: for poll()

class Conversation {
 public:
  // Has the model loaded, here or by a server. The options are those of `hearth run`; they outlive
  // the conversation.
  static Result<std::unique_ptr<Conversation>> open(const std::string& model,
                                                    const Options& options);

  // Asks, shows the answer as it comes, and keeps both. A stopped answer is kept as far as it came.
  // On an error nothing is kept. The answer begins with `begin`.
  Result<void> ask(std::string text, std::string begin = {});
  // The same for the last question, whose answer is forgotten; kNotFound where there is none.
  Result<void> retry();
  // Goes on with the last answer, which is shown from its beginning; kNotFound where there is none.
  Result<void> go_on();
  // The last question, taken back together with its answer; empty where there is none.
  std::string take_back();

  // Forgets all but the system text and the messages that the model came with.
  void clear();
  void set_system(std::string text);
  // A row of the parameters table, checked; num_ctx makes room anew.
  Result<void> set_parameter(std::string_view name, std::string_view value);
  // A text that goes before the next question, under its name.
  void attach(std::string name, std::string text);

  const AnswererInfo& model() const { return answerer_->info(); }
  Library& library() const { return *library_; }  // that the model is from
  const std::vector<ChatMessage>& messages() const { return messages_; }
  const Options& parameters() const { return parameters_; }  // what was set here
  int64_t context() const { return answerer_->context(); }
  std::string system_text() const;
  std::string last_answer() const;
  size_t attached() const { return attachments_.size(); }

  bool verbose = false;
  bool json = false;
  std::optional<bool> think;  // whether the model is to reason, where its template knows that

 private:
  struct Attachment {
    std::string name, text;
  };
  Conversation() = default;
  Result<void> answer();
  Result<void> keep(const GivenAnswer& answer, std::string text);
  bool continues() const { return messages_.back().role == "assistant"; }

  std::shared_ptr<Library> library_;
  std::unique_ptr<Answerer> answerer_;
  Options parameters_;
  std::vector<ChatMessage> messages_;
  size_t own_messages_ = 0;  // those at the start that clear() keeps
  std::vector<Attachment> attachments_;
};

}  // namespace hearth
