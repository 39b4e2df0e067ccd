/* What the parts of the store share. */
#ifndef STORE_PRIV_H
#define STORE_PRIV_H

#include <dirent.h>
#include <sys/types.h>

#include "config.h"
#include "store.h"

enum store_folder {
    STORE_ROOT,
    STORE_CERT,
    STORE_PURPOSE,
    STORE_PENDING,
    STORE_STATE,
    STORE_FOLDERS
};

struct store {
    char *path;
    int fd[STORE_FOLDERS];
    int lock; /* -1: not held */
};

extern const char *const store_folders[STORE_FOLDERS];

/* Opens a file `name/file` (or `file`, name NULL) of a folder for reading, following no link.
 * -1 with errno. */
int store_open_file(const struct store *s, enum store_folder f, const char *name, const char *file);
int store_regular(int fd);
/* What is in a folder, or (name) in one of its folders. NULL with errno. */
DIR *store_list(const struct store *s, enum store_folder f, const char *name);
/* The next but "." and "..": 1; 0: that was all; -1 with errno: there may be more. */
int store_next(DIR *dir, struct dirent **e);
/* Reads it whole: 1; 0: not there; -1 after a warning. */
int store_read_file(const struct store *s, enum store_folder f, const char *name, const char *file,
                    struct buf *out);

/* Where the link of a purpose leads, as the system follows it; `name` is set for INSIDE and
 * DANGLING. */
enum store_link {
    STORE_LINK_INSIDE,
    STORE_LINK_DANGLING,
    STORE_LINK_OUTSIDE,
    STORE_LINK_GONE,  /* no link of that name */
    STORE_LINK_UNREAD /* with errno */
};
enum store_link store_link(const struct store *s, const char *purpose, char name[STORE_NAME + 1]);
/* Whether it could be said to lead to that certificate, by its text or by the system. -1 with
 * errno: not known. */
int store_link_leads(const struct store *s, const char *purpose, const char *name);

/* Makes a folder beside (".new-NAME"), fills it through store_put_file, and gives it its name with
 * store_keep_folder; store_drop_folder takes away what was made. */
int store_new_folder(const struct store *s, enum store_folder f, const char *name);
int store_put_file(int folder, const char *file, struct span octets, mode_t mode);
/* EEXIST when the name is taken. 1, or 0 with errno. */
int store_keep_folder(const struct store *s, enum store_folder f, const char *name, int folder);
/* Removes the files of a folder, overwriting keys, then the folder itself. 1, or 0 with errno. */
int store_drop_folder(const struct store *s, enum store_folder f, const char *folder_name);
/* Renames it to ".del-NAME", so that it is gone at once, then empties it. */
int store_remove_folder(const struct store *s, enum store_folder f, const char *name);

/* Warns "STORE/FOLDER/NAME: why" with errno's text where why is NULL; returns ST_TEMP. */
enum status store_failed(const struct store *s, enum store_folder f, const char *name,
                         const char *why);
/* The whole path of something in the store; freed by the caller. */
char *store_path_of(const struct store *s, enum store_folder f, const char *name, const char *file);
/* The path of key.pem or the URI in key.uri, owned by the caller: 1; 0: neither; -1 after a
 * warning. */
int store_read_key(const struct store *s, enum store_folder f, const char *name, char **key,
                   int *in_token);
/* Writes a file anew and whole, beside and renamed. 1, or 0 with errno. */
int store_replace_file(const struct store *s, enum store_folder f, const char *name,
                       const char *file, struct span octets);
/* A small YAML file: 1, *c NULL where it is not there; 0 after a warning. */
int store_read_yaml(const struct store *s, enum store_folder f, const char *name, const char *file,
                    struct cfg **c);
int store_put_key(int folder, struct span key_pem, const char *key_uri);
/* The first PEM block of a file, which must have this label, as DER: 1; 0: not there; -1 after a
 * warning. */
int store_read_pem(const struct store *s, enum store_folder f, const char *name, const char *file,
                   const char *label, struct buf *der);
/* One line of STORE/history, on the disk when it returns: what happened ("deleted", "kept") to
 * which certificate and why. 0 after a warning: nothing was added. */
int store_record(const struct store *s, const char *what, const char *name,
                 const struct store_item *i, const char *why);
/* Whether a certificate other than `but` has this key (x509_key_hash; one that cannot be read, by
 * its key in the token), or an enrolment has. -1 after a warning: not known. */
int store_has_key(struct store *s, const unsigned char hash[X509_HASH], const char *but);

#endif
