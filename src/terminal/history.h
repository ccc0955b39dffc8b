// History: what was typed before, across sessions. One JSON string a line, so that an entry may
// have lines of its own; readable by its owner only. One thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::terminal {

class History {
 public:
  static constexpr size_t kEntriesMax = 1000;
  static constexpr size_t kEntryBytesMax = 64 << 10;  // a longer one is not kept

  // Reads the entries of `path`. A file that is not there, or lines that are no JSON, are no
  // error: typing must go on. An empty path keeps nothing.
  explicit History(std::filesystem::path path = {});

  // Appends to the memory and, unless keep(false), to the file. Nothing where it is empty, too
  // long or the same as the last.
  void add(std::string_view entry);
  void keep(bool on) { keep_ = on; }

  size_t size() const { return entries_.size(); }
  const std::string& at(size_t index) const { return entries_[index]; }  // 0 is the oldest

 private:
  void append_to_file(std::string_view entry) const;
  void rewrite_file() const;

  std::filesystem::path path_;
  std::vector<std::string> entries_;
  bool keep_ = true;
};

}  // namespace hearth::terminal
