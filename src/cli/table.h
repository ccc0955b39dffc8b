// Table: aligned columns as people read them, and the words for sizes and ages in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

class Table {
 public:
  explicit Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // Columns are as wide as their widest cell on a terminal; control characters are made visible.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the header first; may be empty
};

std::string size_text(uint64_t bytes);       // decimal units, as disks are sold: "98 MB", "1.1 GB"
std::string count_text(uint64_t count);      // "134.5M", "8.0B"
std::string span_text(int64_t seconds);      // "3 weeks"; empty for less than a second
std::string age_text(int64_t seconds);       // "3 weeks ago", "just now"

}  // namespace hearth
