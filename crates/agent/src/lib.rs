//! One agent: a replica, a stream and what ties them to the others
