! collapse WEIGHTS OUTPUT STEPS [RESTART]: a prestellar core collapses on a spherical grid, and a surrogate does its chemistry.
! OUTPUT is a checkpoint: given as RESTART it goes on bit for bit. Units: pc, km/s, H nuclei per cm^3; of the surrogate: yr.
program collapse
    use, intrinsic :: iso_c_binding, only: c_int, c_int32_t, dp => c_double
    use chemnet_surrogate
    implicit none
    integer, parameter :: cells = 32
    real(dp), parameter :: radius = 0.1_dp, mixing = 2.0e-3_dp, cfl = 0.3_dp, tolerance = 0.15_dp, pi = acos(-1.0_dp)
    real(dp), parameter :: years = 977792.2_dp, cm = 3.0857e18_dp, gravity = 4.30091e-3_dp*0.03461_dp, width = radius/cells
    type(surrogate_type) :: surrogate
    type(workspace_type) :: workspace
    real(dp), dimension(cells) :: volume, density, momentum, expected, dt
    real(dp), allocatable :: edge(:), area(:), abundances(:, :), physical(:, :), wanted(:, :), totals(:, :)
    integer(c_int32_t) :: flags(cells)
    integer(c_int) :: code
    integer :: steps, done = 0, not_trusted = 0, i, unit
    real(dp) :: time = 0, until, broken = 0
    character(1024) :: word

    call surrogate_open(argument(1), surrogate, code)
    if (code == chemnet_ok) call workspace_new(surrogate, cells, workspace, code)
    if (code /= chemnet_ok) error stop error_text(code)
    word = argument(3); read (word, *) steps
    edge = [(width*i, i=0, cells)]
    area = 4*pi*edge**2
    volume = 4*pi/3*(edge(2:)**3 - edge(:cells)**3)
    density = 1.0e5_dp/(1 + ((edge(2:) - 0.5_dp*width)/0.06_dp)**2)
    momentum = 0
    dt = surrogate%usual_dt
    abundances = spread(at_start(), 2, cells)
    allocate (wanted(surrogate%n_elements, cells), totals(surrogate%n_elements, cells))
    call surrogate_totals(surrogate, abundances, wanted, code)   ! the same in every cell, and so for ever
    if (command_argument_count() > 3) then
        open (newunit=unit, file=argument(4), access="stream", form="unformatted", status="old")
        read (unit) done, not_trusted, time, broken, density, momentum, abundances
        close (unit)
    end if
    do while (done < steps)
        done = done + 1
        until = done*surrogate%usual_dt/years
        do while (time < until)   ! the gas takes as many steps as it needs
            call gas_step()
        end do
        call surrogate_totals(surrogate, abundances, totals, code)
        broken = max(broken, maxval(abs(totals/wanted - 1)))
        call surrogate_conserve(surrogate, workspace, wanted, abundances, flags, code)
        if (any(flags /= 0)) error stop "advection broke a cell beyond repair"
        physical = conditions()
        call surrogate_step(surrogate, workspace, physical, abundances, flags, code, dt, expected)
        if (any(iand(flags, ior(chemnet_bad_input, chemnet_not_conserved)) /= 0)) error stop "a cell has no abundances"
        ! a code that has a solver keeps the abundances from before and lets it do the cells whose expected error (infinite
        ! outside what was trained) is above the tolerance; this one has none, and says how many it should not trust
        not_trusted = not_trusted + count(.not. expected <= tolerance)
    end do
    open (newunit=unit, file=argument(2), access="stream", form="unformatted", status="replace")
    write (unit) done, not_trusted, time, broken, density, momentum, abundances
    close (unit)
    call surrogate_totals(surrogate, abundances, totals, code)
    print "(i0,a,es9.2,a,f5.1,a,es8.1,a,es8.1)", done, " steps: central density", density(1), ", not trusted", &
        100.0_dp*not_trusted/(done*cells), " %, totals over the grid off by", &
        maxval(abs(matmul(totals, density*volume)/matmul(wanted, density*volume) - 1)), ", broken by advection by up to", broken

contains

    function argument(place) result(text)
        integer, intent(in) :: place
        character(1024) :: text
        call get_command_argument(place, text)
    end function argument

    function at_start() result(x)   ! atoms, and what starlight ionises
        character(3), parameter :: names(9) = ["H  ", "H2 ", "HE ", "C+ ", "N  ", "O  ", "S+ ", "MG ", "E- "]
        real(dp), parameter :: amounts(9) = [0.5_dp, 0.25_dp, 0.1_dp, 1.77e-4_dp, 6.18e-5_dp, 3.34e-4_dp, 3.51e-6_dp, &
            2.256e-6_dp, 1.8051e-4_dp]
        real(dp) :: x(surrogate%n_species)
        x = 0
        do i = 1, size(names)
            if (species_index(surrogate, names(i)) == 0) error stop "this collapse is for `chemnet export collapse`"
            x(species_index(surrogate, names(i))) = amounts(i)
        end do
    end function at_start

    elemental real(dp) function temperature(n)
        real(dp), intent(in) :: n
        temperature = 13.5_dp + 11.5_dp/sqrt(n/1.0e4_dp)
    end function temperature

    function conditions() result(values)   ! density, radiation field, extinction, temperature
        real(dp) :: values(surrogate%n_physical, cells), column, extinction
        column = 0
        do i = cells, 1, -1
            extinction = 1 + 5.348e-22_dp*(column + 0.5_dp*density(i)*width*cm)
            column = column + density(i)*width*cm
            values(:, i) = [density(i), extinction**(-1.5_dp), extinction, temperature(density(i))]
        end do
    end function conditions

    subroutine gas_step()   ! HLL with minmod's slopes; the pressure of gas that keeps its temperature
        real(dp), dimension(0:cells + 1) :: n, v, c
        real(dp), dimension(cells + 1) :: moved, pushed, mixed
        real(dp) :: step, low, high, nl, nr, vl, vr, before(cells), inside
        n = [density(1), density, density(cells)]
        v = [-momentum(1)/density(1), momentum/density, momentum(cells)/density(cells)]
        c = sqrt(1.380649e-16_dp*temperature(n)/(2.33_dp*1.6735e-24_dp))/1.0e5_dp
        step = min(cfl*width/maxval(abs(v) + c), until - time)
        do i = 1, cells + 1
            nl = n(i - 1) + half_slope(n, i - 1); vl = v(i - 1) + half_slope(v, i - 1)
            nr = n(i) - half_slope(n, i); vr = v(i) - half_slope(v, i)
            low = min(vl - c(i - 1), vr - c(i), 0.0_dp); high = max(vl + c(i - 1), vr + c(i), 0.0_dp)
            moved(i) = (high*nl*vl - low*nr*vr + low*high*(nr - nl))/(high - low)
            pushed(i) = (high*nl*(vl**2 + c(i - 1)**2) - low*nr*(vr**2 + c(i)**2) + low*high*(nr*vr - nl*vl))/(high - low)
            mixed(i) = mixing*min(n(i - 1), n(i))*area(i)/width*step
        end do
        moved = moved*area*step; pushed = pushed*area*step; mixed(cells + 1) = 0
        before = density*volume
        inside = 0
        do i = 1, cells
            momentum(i) = momentum(i) + (pushed(i) - pushed(i + 1) + step*n(i)*c(i)**2*(area(i + 1) - area(i)))/volume(i) &
                - step*density(i)*gravity*(inside + 0.5_dp*before(i))/(edge(i) + 0.5_dp*width)**2
            inside = inside + before(i)
        end do
        density = density + (moved(:cells) - moved(2:))/volume
        do i = 1, surrogate%n_species
            abundances(i, :) = advected([abundances(i, 1), abundances(i, :), abundances(i, cells)], before, moved, mixed)
        end do
        time = merge(until, time + step, until - time <= step)
    end subroutine gas_step

    pure real(dp) function half_slope(x, at)
        real(dp), intent(in) :: x(0:)
        integer, intent(in) :: at
        half_slope = 0
        if (at < 1 .or. at > cells) return
        if ((x(at) - x(at - 1))*(x(at + 1) - x(at)) > 0) &
            half_slope = 0.5_dp*sign(min(abs(x(at) - x(at - 1)), abs(x(at + 1) - x(at))), x(at) - x(at - 1))
    end function half_slope

    function advected(x, before, moved, mixed) result(after)   ! a passive scalar rides on the mass of the gas
        real(dp), intent(in) :: x(0:cells + 1), before(cells), moved(cells + 1), mixed(cells + 1)
        real(dp) :: after(cells), carried(cells + 1), share
        integer :: f, from
        do f = 1, cells + 1
            from = merge(f - 1, f, moved(f) > 0)
            share = abs(moved(f))/before(min(max(from, 1), cells))
            carried(f) = moved(f)*(x(from) + sign(1 - share, moved(f))*half_slope(x, from)) - mixed(f)*(x(f) - x(f - 1))
        end do
        after = (before*x(1:cells) + carried(:cells) - carried(2:))/(density*volume)
    end function advected

end program collapse
