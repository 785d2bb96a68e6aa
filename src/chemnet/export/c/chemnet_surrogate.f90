! A chemical surrogate exported by chemnet, for Fortran 2003. What each call does stands in chemnet_surrogate.h.
!
! Arrays are (species, cells): Fortran's first index runs fastest, so that is the memory order of the C interface.
module chemnet_surrogate
    use, intrinsic :: iso_c_binding, only: c_ptr, c_null_ptr, c_int, c_int32_t, c_size_t, c_double, c_char, &
        c_null_char, c_associated, c_f_pointer, c_loc
    implicit none
    private

    integer(c_int), parameter, public :: chemnet_ok = 0
    integer(c_int32_t), parameter, public :: chemnet_bad_input = 1, chemnet_outside_physical = 2, &
        chemnet_outside_totals = 4, chemnet_outside_dt = 8, chemnet_below_floor = 16, chemnet_not_conserved = 32, &
        chemnet_by_substeps = 64, chemnet_by_solver = 128, chemnet_not_converged = 256

    !> A surrogate, shared by all threads; each thread has a workspace of its own.
    type, public :: surrogate_type
        type(c_ptr) :: handle = c_null_ptr
        integer :: n_species = 0, n_physical = 0, n_elements = 0, n_latents = 0, state_size = 0
        real(c_double) :: usual_dt = 0
    end type surrogate_type

    type, public :: workspace_type
        type(c_ptr) :: handle = c_null_ptr
    end type workspace_type

    public :: surrogate_open, surrogate_close, workspace_new, workspace_free, surrogate_step, surrogate_begin, &
        surrogate_advance, surrogate_read, surrogate_totals, surrogate_conserve, surrogate_encode, surrogate_decode, &
        surrogate_latent_step, surrogate_check_digest, species_name, physical_name, element_name, species_index, error_text

    interface
        function c_open(path, surrogate) bind(c, name="chemnet_open") result(code)
            import :: c_char, c_ptr, c_int
            character(kind=c_char), intent(in) :: path(*)
            type(c_ptr), intent(out) :: surrogate
            integer(c_int) :: code
        end function c_open
        function c_check_digest(surrogate, digest) bind(c, name="chemnet_check_digest") result(code)
            import :: c_char, c_ptr, c_int
            type(c_ptr), value :: surrogate
            character(kind=c_char), intent(in) :: digest(*)
            integer(c_int) :: code
        end function c_check_digest
        subroutine c_close(surrogate) bind(c, name="chemnet_close")
            import :: c_ptr
            type(c_ptr), value :: surrogate
        end subroutine c_close
        function c_error_text(code) bind(c, name="chemnet_error_text") result(text)
            import :: c_ptr, c_int
            integer(c_int), value :: code
            type(c_ptr) :: text
        end function c_error_text
        function c_n_species(surrogate) bind(c, name="chemnet_n_species") result(n)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int) :: n
        end function c_n_species
        function c_n_physical(surrogate) bind(c, name="chemnet_n_physical") result(n)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int) :: n
        end function c_n_physical
        function c_n_elements(surrogate) bind(c, name="chemnet_n_elements") result(n)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int) :: n
        end function c_n_elements
        function c_n_latents(surrogate) bind(c, name="chemnet_n_latents") result(n)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int) :: n
        end function c_n_latents
        function c_state_size(surrogate) bind(c, name="chemnet_state_size") result(n)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int) :: n
        end function c_state_size
        function c_usual_dt(surrogate) bind(c, name="chemnet_usual_dt") result(dt)
            import :: c_ptr, c_double
            type(c_ptr), value :: surrogate
            real(c_double) :: dt
        end function c_usual_dt
        function c_species(surrogate, number) bind(c, name="chemnet_species") result(text)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int), value :: number
            type(c_ptr) :: text
        end function c_species
        function c_element(surrogate, number) bind(c, name="chemnet_element") result(text)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int), value :: number
            type(c_ptr) :: text
        end function c_element
        function c_physical(surrogate, number) bind(c, name="chemnet_physical") result(text)
            import :: c_ptr, c_int
            type(c_ptr), value :: surrogate
            integer(c_int), value :: number
            type(c_ptr) :: text
        end function c_physical
        function c_workspace_new(surrogate, most_cells, workspace) bind(c, name="chemnet_workspace_new") result(code)
            import :: c_ptr, c_int, c_size_t
            type(c_ptr), value :: surrogate
            integer(c_size_t), value :: most_cells
            type(c_ptr), intent(out) :: workspace
            integer(c_int) :: code
        end function c_workspace_new
        subroutine c_workspace_free(workspace) bind(c, name="chemnet_workspace_free")
            import :: c_ptr
            type(c_ptr), value :: workspace
        end subroutine c_workspace_free
        function c_step(surrogate, workspace, n_cells, physical, dt, abundances, flags, expected_error) &
                bind(c, name="chemnet_step") result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: physical(*)
            type(c_ptr), value :: dt, expected_error
            real(c_double), intent(inout) :: abundances(*)
            integer(c_int32_t), intent(out) :: flags(*)
            integer(c_int) :: code
        end function c_step
        function c_totals(surrogate, n_cells, abundances, totals) bind(c, name="chemnet_totals") result(code)
            import :: c_ptr, c_int, c_size_t, c_double
            type(c_ptr), value :: surrogate
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: abundances(*)
            real(c_double), intent(out) :: totals(*)
            integer(c_int) :: code
        end function c_totals
        function c_conserve(surrogate, workspace, n_cells, totals, abundances, flags) &
                bind(c, name="chemnet_conserve") result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: totals(*)
            real(c_double), intent(inout) :: abundances(*)
            integer(c_int32_t), intent(out) :: flags(*)
            integer(c_int) :: code
        end function c_conserve
        function c_begin(surrogate, workspace, n_cells, abundances, state, flags) bind(c, name="chemnet_begin") &
                result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: abundances(*)
            real(c_double), intent(out) :: state(*)
            integer(c_int32_t), intent(out) :: flags(*)
            integer(c_int) :: code
        end function c_begin
        function c_advance(surrogate, workspace, n_cells, physical, dt, state, flags) &
                bind(c, name="chemnet_advance") result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: physical(*)
            type(c_ptr), value :: dt
            real(c_double), intent(inout) :: state(*)
            integer(c_int32_t), intent(out) :: flags(*)
            integer(c_int) :: code
        end function c_advance
        function c_read(surrogate, workspace, n_cells, state, abundances, flags, expected_error) &
                bind(c, name="chemnet_read") result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: state(*)
            real(c_double), intent(out) :: abundances(*)
            integer(c_int32_t), intent(out) :: flags(*)
            type(c_ptr), value :: expected_error
            integer(c_int) :: code
        end function c_read
        function c_encode(surrogate, workspace, n_cells, abundances, latents, flags) &
                bind(c, name="chemnet_encode") result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: abundances(*)
            real(c_double), intent(out) :: latents(*)
            integer(c_int32_t), intent(out) :: flags(*)
            integer(c_int) :: code
        end function c_encode
        function c_decode(surrogate, workspace, n_cells, latents, abundances, flags) &
                bind(c, name="chemnet_decode") result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: latents(*)
            real(c_double), intent(out) :: abundances(*)
            integer(c_int32_t), intent(out) :: flags(*)
            integer(c_int) :: code
        end function c_decode
        function c_latent_step(surrogate, workspace, n_cells, physical, dt, latents, flags) &
                bind(c, name="chemnet_latent_step") result(code)
            import :: c_ptr, c_int, c_size_t, c_double, c_int32_t
            type(c_ptr), value :: surrogate, workspace
            integer(c_size_t), value :: n_cells
            real(c_double), intent(in) :: physical(*)
            type(c_ptr), value :: dt
            real(c_double), intent(inout) :: latents(*)
            integer(c_int32_t), intent(out) :: flags(*)
            integer(c_int) :: code
        end function c_latent_step
        function c_strlen(text) bind(c, name="strlen") result(length)
            import :: c_ptr, c_size_t
            type(c_ptr), value :: text
            integer(c_size_t) :: length
        end function c_strlen
    end interface

contains

    !> Opens the weight file of a bundle; code is chemnet_ok, or what error_text puts into words.
    subroutine surrogate_open(path, surrogate, code)
        character(*), intent(in) :: path
        type(surrogate_type), intent(out) :: surrogate
        integer(c_int), intent(out) :: code
        code = c_open(trim(path)//c_null_char, surrogate%handle)
        if (code /= chemnet_ok) return
        surrogate%n_species = c_n_species(surrogate%handle)
        surrogate%n_physical = c_n_physical(surrogate%handle)
        surrogate%n_elements = c_n_elements(surrogate%handle)
        surrogate%n_latents = c_n_latents(surrogate%handle)
        surrogate%state_size = c_state_size(surrogate%handle)
        surrogate%usual_dt = c_usual_dt(surrogate%handle)
    end subroutine surrogate_open

    !> chemnet_ok when the weights are those of the bundle whose surrogate.toml has this digest.
    function surrogate_check_digest(surrogate, digest) result(code)
        type(surrogate_type), intent(in) :: surrogate
        character(*), intent(in) :: digest
        integer(c_int) :: code
        code = c_check_digest(surrogate%handle, trim(digest)//c_null_char)
    end function surrogate_check_digest

    subroutine surrogate_close(surrogate)
        type(surrogate_type), intent(inout) :: surrogate
        call c_close(surrogate%handle)
        surrogate%handle = c_null_ptr
    end subroutine surrogate_close

    !> A workspace for at most so many cells in one call.
    subroutine workspace_new(surrogate, most_cells, workspace, code)
        type(surrogate_type), intent(in) :: surrogate
        integer, intent(in) :: most_cells
        type(workspace_type), intent(out) :: workspace
        integer(c_int), intent(out) :: code
        code = c_workspace_new(surrogate%handle, int(most_cells, c_size_t), workspace%handle)
    end subroutine workspace_new

    subroutine workspace_free(workspace)
        type(workspace_type), intent(inout) :: workspace
        call c_workspace_free(workspace%handle)
        workspace%handle = c_null_ptr
    end subroutine workspace_free

    !> One step of each cell from its abundances.
    subroutine surrogate_step(surrogate, workspace, physical, abundances, flags, code, dt, expected_error)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: physical(:, :) !< (n_physical, cells)
        real(c_double), intent(inout) :: abundances(:, :) !< (n_species, cells)
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        real(c_double), intent(in), optional, target, contiguous :: dt(:) !< [yr]
        real(c_double), intent(out), optional, target, contiguous :: expected_error(:) !< [dex]
        type(c_ptr) :: dt_at, error_at
        dt_at = c_null_ptr
        error_at = c_null_ptr
        if (present(dt)) dt_at = c_loc(dt)
        if (present(expected_error)) error_at = c_loc(expected_error)
        code = c_step(surrogate%handle, workspace%handle, cells_of(abundances), physical, dt_at, abundances, flags, &
            error_at)
    end subroutine surrogate_step

    !> Atoms of each element per H nucleus.
    subroutine surrogate_totals(surrogate, abundances, totals, code)
        type(surrogate_type), intent(in) :: surrogate
        real(c_double), intent(in) :: abundances(:, :)
        real(c_double), intent(out) :: totals(:, :) !< (n_elements, cells)
        integer(c_int), intent(out) :: code
        code = c_totals(surrogate%handle, cells_of(abundances), abundances, totals)
    end subroutine surrogate_totals

    !> Brings abundances to the totals of elements that the caller states: for grids whose advection broke them.
    subroutine surrogate_conserve(surrogate, workspace, totals, abundances, flags, code)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: totals(:, :) !< (n_elements, cells), atoms per H nucleus
        real(c_double), intent(inout) :: abundances(:, :)
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        code = c_conserve(surrogate%handle, workspace%handle, cells_of(abundances), totals, abundances, flags)
    end subroutine surrogate_conserve

    subroutine surrogate_begin(surrogate, workspace, abundances, state, flags, code)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: abundances(:, :)
        real(c_double), intent(out) :: state(:, :) !< (state_size, cells): all that a restart needs
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        code = c_begin(surrogate%handle, workspace%handle, cells_of(abundances), abundances, state, flags)
    end subroutine surrogate_begin

    subroutine surrogate_advance(surrogate, workspace, physical, state, flags, code, dt)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: physical(:, :)
        real(c_double), intent(inout) :: state(:, :)
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        real(c_double), intent(in), optional, target, contiguous :: dt(:)
        type(c_ptr) :: dt_at
        dt_at = c_null_ptr
        if (present(dt)) dt_at = c_loc(dt)
        code = c_advance(surrogate%handle, workspace%handle, cells_of(state), physical, dt_at, state, flags)
    end subroutine surrogate_advance

    subroutine surrogate_read(surrogate, workspace, state, abundances, flags, code, expected_error)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: state(:, :)
        real(c_double), intent(out) :: abundances(:, :)
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        real(c_double), intent(out), optional, target, contiguous :: expected_error(:)
        type(c_ptr) :: error_at
        error_at = c_null_ptr
        if (present(expected_error)) error_at = c_loc(expected_error)
        code = c_read(surrogate%handle, workspace%handle, cells_of(state), state, abundances, flags, error_at)
    end subroutine surrogate_read

    subroutine surrogate_encode(surrogate, workspace, abundances, latents, flags, code)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: abundances(:, :)
        real(c_double), intent(out) :: latents(:, :) !< (n_latents, cells)
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        code = c_encode(surrogate%handle, workspace%handle, cells_of(abundances), abundances, latents, flags)
    end subroutine surrogate_encode

    subroutine surrogate_decode(surrogate, workspace, latents, abundances, flags, code)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: latents(:, :)
        real(c_double), intent(out) :: abundances(:, :)
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        code = c_decode(surrogate%handle, workspace%handle, cells_of(latents), latents, abundances, flags)
    end subroutine surrogate_decode

    subroutine surrogate_latent_step(surrogate, workspace, physical, latents, flags, code, dt)
        type(surrogate_type), intent(in) :: surrogate
        type(workspace_type), intent(in) :: workspace
        real(c_double), intent(in) :: physical(:, :)
        real(c_double), intent(inout) :: latents(:, :)
        integer(c_int32_t), intent(out) :: flags(:)
        integer(c_int), intent(out) :: code
        real(c_double), intent(in), optional, target, contiguous :: dt(:)
        type(c_ptr) :: dt_at
        dt_at = c_null_ptr
        if (present(dt)) dt_at = c_loc(dt)
        code = c_latent_step(surrogate%handle, workspace%handle, cells_of(latents), physical, dt_at, latents, flags)
    end subroutine surrogate_latent_step

    !> Name of a species, counted from 1; empty outside the range.
    function species_name(surrogate, number) result(name)
        type(surrogate_type), intent(in) :: surrogate
        integer, intent(in) :: number
        character(:), allocatable :: name
        name = text_of(c_species(surrogate%handle, int(number - 1, c_int)))
    end function species_name

    function physical_name(surrogate, number) result(name)
        type(surrogate_type), intent(in) :: surrogate
        integer, intent(in) :: number
        character(:), allocatable :: name
        name = text_of(c_physical(surrogate%handle, int(number - 1, c_int)))
    end function physical_name

    function element_name(surrogate, number) result(name)
        type(surrogate_type), intent(in) :: surrogate
        integer, intent(in) :: number
        character(:), allocatable :: name
        name = text_of(c_element(surrogate%handle, int(number - 1, c_int)))
    end function element_name

    !> Number of a species, counted from 1; 0 where there is none of this name.
    function species_index(surrogate, name) result(number)
        type(surrogate_type), intent(in) :: surrogate
        character(*), intent(in) :: name
        integer :: number
        do number = 1, surrogate%n_species
            if (species_name(surrogate, number) == name) return
        end do
        number = 0
    end function species_index

    function error_text(code) result(text)
        integer(c_int), intent(in) :: code
        character(:), allocatable :: text
        text = text_of(c_error_text(code))
    end function error_text

    function cells_of(values) result(n)
        real(c_double), intent(in) :: values(:, :)
        integer(c_size_t) :: n
        n = size(values, 2, c_size_t)
    end function cells_of

    function text_of(at) result(text)
        type(c_ptr), intent(in) :: at
        character(:), allocatable :: text
        character(kind=c_char), pointer :: letters(:)
        integer :: i, length
        text = ""
        if (.not. c_associated(at)) return
        length = int(c_strlen(at))
        call c_f_pointer(at, letters, [length])
        do i = 1, length
            text = text//letters(i)
        end do
    end function text_of

end module chemnet_surrogate
