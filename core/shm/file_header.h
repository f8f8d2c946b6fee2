// This file is the only place that writes and checks the header that every file of shared memory
// starts with.
#pragma once

#include "core/base/result.h"
#include "core/shm/layout.h"

namespace vineyard::shm {

FileHeader MakeFileHeader(FileKind kind, uint64_t instance, uint64_t number = 0);

// kVersion when this build does not understand the file (`writer`: would also have to keep up
// features that it does not know), kCorrupt when it is not what it should be.
Status CheckFileHeader(const FileHeader& header, FileKind kind, bool writer);

}  // namespace vineyard::shm
