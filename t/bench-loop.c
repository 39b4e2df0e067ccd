/* bench-loop STORE: opens, reads and closes the certificate of each folder of a device store, and
 * does nothing else: the ceiling for whoever looks through the store. For scripts/bench. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char octets[65536], name[4096];
    struct dirent *e;
    long files = 0, all = 0;
    snprintf(name, sizeof name, "%s/cert", argc == 2 ? argv[1] : ".");
    DIR *dir = opendir(name);
    if (!dir)
        return 4;
    while ((e = readdir(dir))) {
        ssize_t n;
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/cert.pem", e->d_name);
        int fd = openat(dirfd(dir), name, O_RDONLY);
        if (fd < 0)
            return 4;
        while ((n = read(fd, octets, sizeof octets)) > 0)
            all += n;
        close(fd);
        files++;
    }
    closedir(dir);
    printf("%ld files, %ld octets\n", files, all);
    return 0;
}
